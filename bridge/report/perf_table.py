"""A performance test for the terminal: a line for each load point, with the verdict on the client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bridge.report.numbers import value_text
from bridge.report.perf_points import PointRows, points
from bridge.report.schema import ErrorKind, Report, ResultRow
from bridge.report.table import STYLES, errors_box
from bridge.report.text import visible

COLUMNS = (
    ("req/s", "req_s"),
    ("tok/s", "output_tok_s"),
    ("ttft p50", "ttft.p50"),
    ("p99", "ttft.p99"),
    ("planned p50", "ttft_planned.p50"),
    ("gap p50", "gap.p50"),
    ("p99", "gap.p99"),
    ("tpot", "tpot.mean"),
    ("e2e p50", "e2e.p50"),
    ("p99", "e2e.p99"),
    ("goodput", "goodput"),
    ("failed", "error_share"),
)
VERDICTS = {"clean": "green", "strained": "yellow", "saturated": "bold red"}


def perf_table(report: Report, root: Path) -> RenderableType:
    found = points(report.results)
    faults = [error for error in report.errors if error.kind is not ErrorKind.WARNING]
    notes = [error for error in report.errors if error.kind is ErrorKind.WARNING]
    parts: list[RenderableType] = [_table(found), *_answer(report.results)] if found else []
    parts += [errors_box("errors", "red", faults)] if faults else []
    parts += [errors_box("warnings", "yellow", notes)] if notes else []
    parts.append(Text(report.status.value.upper(), style=f"bold {STYLES[report.status]}"))
    parts.append(Text.assemble("report: ", (visible(str(root / "report.html")), "bold")))
    return Group(*parts)


def _table(found: list[PointRows]) -> Table:
    """Latencies in milliseconds; columns in which nothing has a value are left out."""
    shown = [(title, metric) for title, metric in COLUMNS if any(point.value(metric) is not None for point in found)]
    title = Text(f"{visible(found[0].model)}, times in milliseconds", style="bold")
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    table.add_column("load")
    for title_of_column, _ in shown:
        table.add_column(title_of_column, justify="right", no_wrap=True)
    table.add_column("client")
    for point in found:
        verdict = Text(point.verdict, style=VERDICTS.get(point.verdict, ""))
        table.add_row(visible(point.point), *(point.text(metric) for _, metric in shown), verdict)
    return table


def _answer(rows: tuple[ResultRow, ...]) -> Iterator[Text]:
    """What a search found."""
    for row in rows:
        if row.primary and "search" in row.settings:
            said = visible(str(row.settings["search"]))
            yield Text.assemble((f"{row.metric}: {value_text(row)}", "bold"), f"  {said}")
