"""Geometry of the bar plot: values to places on an axis. The template ``parts.html`` draws it as SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Protocol


class Measured(Protocol):
    """The fields of a ``ResultRow`` that are drawn."""

    @property
    def value(self) -> float | None: ...
    @property
    def ci95(self) -> tuple[float, float] | None: ...
    @property
    def unit(self) -> str: ...
    @property
    def min_value(self) -> float | None: ...
    @property
    def max_value(self) -> float | None: ...


WIDTH = 280.0
"""Of every plot, in the units of its SVG."""
MARGIN = 10.0


@dataclass(frozen=True)
class Axis:
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    """Place and label."""
    unit: str

    def x(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        return round(MARGIN + (inside - self.low) / (self.high - self.low) * (WIDTH - 2 * MARGIN), 2)


@dataclass(frozen=True)
class Bar:
    """From ``start`` to ``end``, with a whisker from ``low`` to ``high`` where there is an interval."""

    start: float
    end: float
    low: float | None
    high: float | None


def axis_key(row: Measured) -> tuple[str, float | None, float | None]:
    """Rows with the same key share an axis."""
    return row.unit, row.min_value, row.max_value


def axis_for(rows: Sequence[Measured]) -> Axis:
    """One axis for rows of one unit: the metric's bounds, or where it has none, round numbers around the values."""
    unit, low, high = axis_key(rows[0])
    seen = [value for row in rows for value in (row.value, *(row.ci95 or ())) if value is not None] or [0.0, 1.0]
    low = min(0.0, _round(min(seen), floor)) if low is None else low
    high = max(0.0, _round(max(seen), ceil)) if high is None else high
    if high <= low:
        high = low + 1.0
    axis = Axis(low, high, (), unit)
    at = [low + (high - low) * part / 4 for part in range(5)]
    return Axis(low, high, tuple((axis.x(value), _tick(value, unit)) for value in at), unit)


def bar(row: Measured, axis: Axis) -> Bar | None:
    """The row's bar; None where it has no value."""
    if row.value is None:
        return None
    low, high = (axis.x(row.ci95[0]), axis.x(row.ci95[1])) if row.ci95 else (None, None)
    zero = axis.x(0.0) if axis.low <= 0 <= axis.high else axis.x(axis.low)
    ends = sorted((zero, axis.x(row.value)))
    return Bar(ends[0], ends[1], low, high)


def _round(value: float, whole: Callable[[float], int]) -> float:
    if value == 0:
        return 0.0
    step = 10.0 ** floor(log10(abs(value)))
    return whole(value / step) * step


def _tick(value: float, unit: str) -> str:
    return f"{100 * value:g} %" if unit == "fraction" else f"{value:,.4g}"
