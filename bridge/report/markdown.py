"""``report.md``: the tables and errors for a pull request or a wiki.  Foreign text is escaped, never markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from bridge.report.numbers import duration_text, interval_text, value_text
from bridge.report.overview import duration_s, headline, is_overall
from bridge.report.schema import Report, ResultRow, Usage
from bridge.report.text import one_line

SPECIAL = re.compile(r"([\\`*_\[\]|~$@])")


def render_markdown(report: Report) -> str:
    return "\n".join([*_head(report), *_errors(report), *_tables(report), *_provenance(report)]) + "\n"


def escaped(text: str, limit: int = 300) -> str:
    """One line that Markdown shows as it is."""
    line = one_line(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(r"\\\1", line)


def _head(report: Report) -> Iterator[str]:
    yield f"# {escaped(report.run.name)}"
    yield ""
    yield f"**{report.status.value.upper()}**: {headline(report)}."
    yield ""


def _errors(report: Report) -> Iterator[str]:
    if not report.errors:
        return
    yield "## Errors"
    yield ""
    for error in report.errors:
        place = " · ".join(escaped(part) for part in (error.model, error.backend, error.dataset) if part)
        count = f" × {error.count:,}" if error.count > 1 else ""
        hint = f" → {escaped(error.hint)}" if error.hint else ""
        yield f"- **{error.kind.value}**{count}{f' ({place})' if place else ''}: {escaped(error.message)}{hint}"
    yield ""


def _tables(report: Report) -> Iterator[str]:
    yield "## Scores"
    yield ""
    yield from _table(row for row in report.results if is_overall(row))
    for title, chosen in (
        ("Categories", [row for row in report.results if row.category is not None and row.subset is None]),
        ("Subsets", [row for row in report.results if row.subset is not None]),
    ):
        if chosen:
            yield f"<details><summary>{title} ({len(chosen):,} rows)</summary>"
            yield ""
            yield from _table(chosen)
            yield "</details>"
            yield ""


def _table(rows: Iterable[ResultRow]) -> Iterator[str]:
    yield "| model | dataset | backend | metric | score | 95 % interval | n | errors |"
    yield "|---|---|---|---|---:|---|---:|---:|"
    for row in rows:
        yield "| " + " | ".join(_cells(row)) + " |"
    yield ""


def _cells(row: ResultRow) -> Sequence[str]:
    part = row.subset or row.category
    dataset = escaped(row.dataset) + (f" / {escaped(part)}" if part else "")
    score = f"**{value_text(row)}**" if row.primary else value_text(row)
    note = escaped(row.reason or "") if row.value is None else interval_text(row)
    names = (escaped(row.model), dataset, escaped(f"{row.backend} {row.backend_version}"), escaped(row.metric))
    return *names, score, note, f"{row.n:,}", f"{row.n_errors:,}"


def _provenance(report: Report) -> Iterator[str]:
    run = report.run
    seconds = duration_s(run)
    yield "## Run"
    yield ""
    yield f"- run: {escaped(run.id)}, bridge {escaped(run.bridge_version)}, spec {escaped(run.spec_sha256[:12])}"
    yield f"- started: {escaped(run.started_at)}" + (f", took {duration_text(seconds)}" if seconds is not None else "")
    for model in report.models:
        extras = "".join(f", {escaped(name)}" for name in (*model.adapters, model.revision or "") if name)
        extras += "" if model.start_s is None else f", server up after {model.start_s:g} s"
        yield f"- model: {escaped(model.name)} ({escaped(model.engine)}, {escaped(model.source)}{extras})"
    yield f"- requests: {_traffic(report.usage)}"
    if report.judge_usage is not None:
        yield f"- of these, of judges: {_traffic(report.judge_usage)}"


def _traffic(usage: Usage) -> str:
    return (
        f"{usage.requests:,} ({usage.cached:,} from the cache, {usage.retried:,} tried again, "
        f"{usage.failed:,} failed); tokens: {usage.prompt_tokens:,} in, {usage.completion_tokens:,} out"
    )
