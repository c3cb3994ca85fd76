"""The pages about runs: all of them, one, and a section of one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.report.language import Translate, counted
from bridge.report.plot import Axis, axis_for
from bridge.report.text import visible
from bridge.view.glance import Glance, GlanceRow
from bridge.view.library import Library, Run
from bridge.view.rendering import Visit, render

if TYPE_CHECKING:
    from bridge.report.schema import Report

MOST_LINES = 8
"""Results of one run on the page of runs."""
MOST_RUNS = 500
MOST_CHANGES = 40
LOG_BYTES = 6_000
MOST_LOGS = 30


@dataclass(frozen=True)
class Line:
    key: str
    """Of the column."""
    row: GlanceRow
    axis: Axis
    revision: str


@dataclass(frozen=True)
class Entry:
    run: Run
    lines: tuple[Line, ...]
    more: int
    """Results that are not in ``lines``."""
    changed: str | None
    """Against the run before it of the same name; None where there is none."""


@dataclass(frozen=True)
class Log:
    name: str
    told: str
    tail: str


def runs_page(library: Library, visit: Visit, wanted: str = "", *, compared: bool = False) -> str:
    """``wanted``: only runs with this text in their name, or in that of a model or dataset.

    ``compared``: there is one comparison of these runs to lead to.
    """
    everything = library.runs()
    found = [run for run in everything if _fits(run, wanted.strip().lower())]
    shown = found[:MOST_RUNS]
    _ = visit.translate
    summary = counted(len(found), "run", _)
    if len(shown) < len(found):
        summary += "; " + _("only the newest {n} are shown").format(n=len(shown))
    entries = [_entry(run, previous_of(run, everything), _) for run in shown]
    context = {"runs": entries, "wanted": wanted, "summary": summary, "compared": compared}
    return render(visit, "runs.html", **context, too_many=library.too_many)


def _fits(run: Run, wanted: str) -> bool:
    if not wanted:
        return True
    rows = run.glance.rows if run.glance else ()
    names = [run.name, *(name for row in rows for name in (row.model, row.dataset, row.backend))]
    return any(wanted in name.lower() for name in names)


def _entry(run: Run, previous: Run | None, _: Translate) -> Entry:
    about = run.glance
    if about is None:
        return Entry(run, (), 0, None)
    lines = tuple(
        Line(key, row, axis_for([row]), about.revisions.get(row.model, "")[:12])
        for key, row in zip(run.keys[:MOST_LINES], about.rows, strict=False)
    )
    return Entry(run, lines, max(0, len(about.rows) - MOST_LINES), _changed(about, previous, _))


def _changed(about: Glance, previous: Run | None, _: Translate) -> str | None:
    if previous is None or previous.glance is None:
        return None
    if about.spec_sha256 == previous.glance.spec_sha256:
        return _("same spec as the run before")
    return _("another spec than the run before")


def previous_of(run: Run, everything: Sequence[Run]) -> Run | None:
    """The run of the same name that was started before this one."""
    if run.glance is None:
        return None
    earlier = (
        one
        for one in everything
        if one.glance and one is not run and one.glance.name == run.glance.name
        if one.glance.started_at < run.glance.started_at
    )
    return next(earlier, None)


def run_page(run: Run, report: Report, library: Library, visit: Visit) -> str:
    from bridge.report.html import report_context

    context = report_context(report, run.root, visit.language)
    by_row = {id(column.row): column for column in run.columns.values()}
    context["row_link"] = lambda row: visit.links.dataset(run, by_row[id(row)])
    previous = previous_of(run, library.runs())
    spec = _text(run.root / "spec.yaml")
    changes = list(_changes(_text(previous.root / "spec.yaml"), spec)) if previous else None
    return render(
        visit,
        "run.html",
        **context,
        run=run,
        comparable=len({(row.model, row.backend) for row in report.results if row.primary}) > 1,
        limited=list(_limited(report)),
        previous=previous,
        changes=changes,
        spec="\n".join(map(visible, spec.splitlines())),
        logs=list(_logs(run.root)),
    )


def section_page(run: Run, report: Report, name: str, visit: Visit) -> str | None:
    """None where the run has no such section."""
    from bridge.report.html import report_context

    context = report_context(report, run.root, visit.language)
    section = next((one for one in context["sections"] if one.name == name), None)
    return None if section is None else render(visit, "section.html", **{**context, "run": run, "section": section})


def _limited(report: Report) -> Iterator[str]:
    for row in report.results:
        if row.primary and (limit := row.settings.get("limit")) is not None:
            yield f"{row.dataset} ({row.backend}, {row.model}): limit {limit}"


def _changes(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Lines of the spec that are new or gone."""
    told = 0
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""):
        if line[:1] in "+-" and line[:3] not in ("+++", "---"):
            yield line[0], visible(line[1:])
            told += 1
            if told == MOST_CHANGES:
                yield "+", "…"
                return


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(200_000).decode("utf-8", "replace")
    except OSError:
        return ""


def _logs(root: Path) -> Iterator[Log]:
    found = sorted([*root.glob("jobs/**/log.txt"), *root.glob("serve/*/log.txt")])
    for path in found[:MOST_LOGS]:
        inside = path.resolve().is_relative_to(root.resolve())
        if inside and (tail := _tail(path)):
            told = f"{path.stat().st_size:,} B"
            yield Log(str(path.relative_to(root)), told, tail)


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOG_BYTES))
            raw = file.read()
    except OSError:
        return ""
    return "\n".join(map(visible, raw.decode("utf-8", "replace").splitlines()[-40:]))
