"""The report for the terminal, drawn with rich.  Foreign text goes through ``visible``: no escape sequence gets out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bridge.report.arena_table import arena_tables
from bridge.report.numbers import duration_text, interval_text, value_text
from bridge.report.overview import Line, backends, duration_s, headline, lines
from bridge.report.schema import ErrorKind, Report, ReportError, ResultRow, Status, Usage
from bridge.report.text import one_line, plural, visible

STYLES = {Status.COMPLETE: "green", Status.PARTIAL: "yellow", Status.FAILED: "red"}


def report_table(report: Report, root: Path) -> RenderableType:
    """Tables of scores, the errors with what to do about them, and where the report is (``root``: the run's folder)."""
    parts: list[RenderableType] = []
    parts += arena_tables(report)
    for model in dict.fromkeys(row.model for row in report.results if report.arena is None):
        parts += [_scores(model, [row for row in report.results if row.model == model]), Text()]
    faults = [error for error in report.errors if error.kind is not ErrorKind.WARNING]
    notes = [error for error in report.errors if error.kind is ErrorKind.WARNING]
    parts += [errors_box("errors", "red", faults)] if faults else []
    parts += [errors_box("warnings", "yellow", notes)] if notes else []
    return Group(*parts, *_closing(report, root))


def _scores(model: str, rows: Sequence[ResultRow]) -> Table:
    names = backends(rows)
    if len(names) == 1:
        return _one_backend(model, rows)
    table = _table(visible(model))
    table.add_column("dataset", overflow="fold")
    table.add_column("metric", overflow="fold")
    for name in names:
        table.add_column(Text(_backend_title(name, rows)), overflow="fold")
    for dataset, metric, line in _labelled(lines(rows)):
        table.add_row(dataset, metric, *(_cell(line.cells.get(name), line) for name in names))
    return table


def _one_backend(model: str, rows: Sequence[ResultRow]) -> Table:
    table = _table(f"{visible(model)}, {_backend_title(rows[0].backend, rows)}")
    for header in ("dataset", "metric"):
        table.add_column(header, overflow="fold")
    for header in ("score", "95 % interval", "n", "errors"):
        table.add_column(header, justify="right", no_wrap=True)
    for dataset, metric, line in _labelled(lines(rows)):
        row = next(iter(line.cells.values()))
        errors = Text(f"{row.n_errors:,}", style="bold red" if row.n_errors else "dim")
        table.add_row(dataset, metric, _value(row), Text(interval_text(row)), Text(f"{row.n:,}"), errors)
        if row.value is None:
            table.add_row("", Text(one_line(row.reason or "", 60), style="red"))
    return table


def _table(title: str) -> Table:
    return Table(box=box.SIMPLE_HEAD, title=Text(title, style="bold"), title_justify="left", pad_edge=False)


def _labelled(found: Sequence[Line]) -> Iterator[tuple[Text, Text, Line]]:
    """The dataset's name stands at its first line only."""
    last = None
    for line in found:
        dataset = Text(visible(line.dataset) if line.dataset != last else "", style="bold")
        yield dataset, Text(visible(line.metric), style="" if line.primary else "dim"), line
        last = line.dataset


def _cell(row: ResultRow | None, line: Line) -> Text:
    if row is None:
        return Text("")
    if row.value is None:
        return _value(row) + Text(f"\n{one_line(row.reason or '', 60)}", style="red")
    if not line.primary:
        return _value(row)
    cell = _value(row) + Text(f"\n{interval_text(row)}\nn {row.n:,}", style="dim")
    return cell + Text(f", {plural(row.n_errors, 'error')}", style="bold red") if row.n_errors else cell


def _value(row: ResultRow) -> Text:
    return Text(value_text(row), style="bold" if row.primary else "")


def _backend_title(name: str, rows: Iterable[ResultRow]) -> str:
    version = next(row.backend_version for row in rows if row.backend == name)
    return visible(f"{name} {version}")


def errors_box(title: str, style: str, errors: Sequence[ReportError]) -> Panel:
    body = Text()
    for at, error in enumerate(errors):
        place = " · ".join(visible(part) for part in (error.model, error.backend, error.dataset) if part)
        body.append(("\n" if at else "") + error.kind.value, style=f"bold {style}")
        body.append(f" × {error.count:,}" if error.count > 1 else "")
        body.append(f"  {place}" if place else "", style="bold")
        body.append(f"\n  {one_line(error.message, 400)}")
        body.append(f"\n  → {one_line(error.hint, 400)}" if error.hint else "", style="dim")
    return Panel(body, title=title, title_align="left", border_style=style, box=box.ROUNDED)


def _closing(report: Report, root: Path) -> Iterator[Text]:
    style = STYLES[report.status]
    yield Text.assemble((report.status.value.upper(), f"bold {style}"), f"  {headline(report)}")
    seconds = duration_s(report.run)
    yield Text(_traffic(report.usage) + (f", {duration_text(seconds)}" if seconds is not None else ""), style="dim")
    if report.judge_usage is not None:
        yield Text(f"of these, of judges: {_traffic(report.judge_usage)}", style="dim")
    yield Text.assemble("report: ", (visible(str(root / "report.html")), "bold"))


def _traffic(usage: Usage) -> str:
    parts = [(usage.cached, "from the cache"), (usage.retried, "tried again"), (usage.failed, "failed")]
    told = ", ".join(f"{count:,} {word}" for count, word in parts if count)
    tokens = usage.prompt_tokens + usage.completion_tokens
    return f"{plural(usage.requests, 'request')}{f' ({told})' if told else ''}, {plural(tokens, 'token')}"
