"""Base against tuned in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bridge.finetuned.schema import Curve, Finetuned
from bridge.report.compare_table import comparison_table
from bridge.report.compare_words import value_words
from bridge.report.text import visible


def finetuned_table(result: Finetuned, folder: Path) -> RenderableType:
    return Group(*_parts(result, folder))


def _parts(result: Finetuned, folder: Path) -> Iterator[RenderableType]:
    if result.comparison is not None:
        yield comparison_table(result.comparison)
    yield from (Text(visible(f"not compared: {reason}"), style="yellow") for reason in result.not_compared)
    if len(result.checkpoints) > 1:
        yield from (_curve(curve) for curve in result.curves)
    yield from (Text(visible(f"note: {note}"), style="dim") for note in result.notes)
    yield Text(visible(f"{folder / 'finetuned.html'}"))


def _curve(curve: Curve) -> Table:
    table = Table(box=box.SIMPLE, title=visible(f"{curve.dataset} ({curve.backend}), {curve.metric}"))
    table.add_column("step", justify="right")
    table.add_column("model")
    table.add_column("value", justify="right")
    for point in curve.points:
        value = "–" if point.value is None else value_words(point.value, curve.unit)
        table.add_row(str(point.step), visible(point.model), value)
    return table
