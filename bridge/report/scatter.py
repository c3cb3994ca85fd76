"""Geometry of a scatter plot: two numbers of every sample's metadata, on logarithmic axes, beside the line x = y.

A primary row asks for one by its settings: ``{"scatter": {"x": "required_words", "y": "written_words"}}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil, floor, log10
from pathlib import Path

from bridge.errors import OutputError
from bridge.report.read import samples
from bridge.report.schema import ResultRow, SampleRecord

SIDE = 320.0
MARGIN = 42.0
MOST_POINTS = 5_000
"""The first so many samples of a row; more would be a black square."""


@dataclass(frozen=True)
class Cloud:
    """The points of one row."""

    row: ResultRow
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Scatter:
    x_name: str
    y_name: str
    ticks: tuple[tuple[float, float, str], ...]
    """Place on the x axis, place on the y axis, label."""
    clouds: tuple[Cloud, ...]
    left_out: int
    """Samples without both numbers above 0."""


def scatter(columns: Sequence[ResultRow], root: Path) -> Scatter | None:
    """The plot of one dataset's primary rows; None where none asks for it, or there is nothing to show."""
    asked = [row for row in columns if isinstance(row.settings.get("scatter"), dict) and row.samples]
    if not asked:
        return None
    names = asked[0].settings["scatter"]
    x_name, y_name = str(names.get("x")), str(names.get("y"))
    read = [(row, list(_pairs(row, root, x_name, y_name))) for row in asked]
    shown = [(row, [pair for pair in pairs if pair is not None]) for row, pairs in read]
    values = [value for _, pairs in shown for pair in pairs for value in pair]
    if not values:
        return None
    low, high = floor(log10(min(values))), max(ceil(log10(max(values))), floor(log10(min(values))) + 1)
    clouds = tuple(Cloud(row, tuple((_x(x, low, high), _y(y, low, high)) for x, y in pairs)) for row, pairs in shown)
    ticks = tuple((_x(10.0**e, low, high), _y(10.0**e, low, high), f"{10**e:,}") for e in range(low, high + 1))
    return Scatter(x_name, y_name, ticks, clouds, sum(pair is None for _, pairs in read for pair in pairs))


def _pairs(row: ResultRow, root: Path, x_name: str, y_name: str) -> Iterable[tuple[float, float] | None]:
    try:
        for record in islice(samples(root / (row.samples or "")), MOST_POINTS):
            x, y = _number(record, x_name), _number(record, y_name)
            yield (x, y) if x and y else None
    except OutputError:
        # What cannot be read is told where the samples themselves are shown.
        return


def _number(record: SampleRecord, name: str) -> float | None:
    value = record.metadata.get(name)
    return float(value) if isinstance(value, int | float) and value >= 1 else None


def _place(value: float, low: int, high: int) -> float:
    return (log10(value) - low) / (high - low) * (SIDE - 2 * MARGIN)


def _x(value: float, low: int, high: int) -> float:
    return round(MARGIN + _place(value, low, high), 1)


def _y(value: float, low: int, high: int) -> float:
    return round(SIDE - MARGIN - _place(value, low, high), 1)
