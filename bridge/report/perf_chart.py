"""Geometry of the plots of a performance test: numbers to places. The template ``_perf.html`` draws them as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, isfinite, log10

WIDTH, HEIGHT = 430.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 12.0, 10.0, 38.0
Pair = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """One axis, linear or logarithmic."""

    low: float
    high: float
    log: bool
    start: float
    end: float
    """Places of ``low`` and ``high``."""
    ticks: tuple[tuple[float, str], ...] = ()

    def at(self, value: float) -> float:
        low, high, value = (log10(max(x, 1e-12)) if self.log else x for x in (self.low, self.high, value))
        share = (min(max(value, low), high) - low) / (high - low)
        return round(self.start + share * (self.end - self.start), 1)


@dataclass(frozen=True)
class Shape:
    """A path, a dot or a rectangle; ``kind`` is a class of the style."""

    kind: str
    path: str = ""
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    title: str = ""


@dataclass(frozen=True)
class Label:
    x: float
    y: float
    text: str


@dataclass
class Chart:
    title: str
    x_name: str
    y_name: str
    x: Scale
    y: Scale
    shapes: list[Shape] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    legend: list[tuple[str, str]] = field(default_factory=list)
    """Class of the style, and what it stands for."""
    note: str = ""

    def line(self, points: Iterable[Pair], kind: str, *, title: str = "", dots: bool = False) -> None:
        places = [(self.x.at(x), self.y.at(y), y) for x, y in points]
        if places:
            path = "M" + "L".join(f"{x:g} {y:g}" for x, y, _ in places)
            self.shapes.append(Shape(f"line {kind}", path=path, title=title))
        for x, y, value in places if dots else ():
            self.shapes.append(Shape(f"dot {kind}", x=x, y=y, title=f"{title} {value:.4g}".strip()))

    def band(self, points: Sequence[tuple[float, float, float]], kind: str) -> None:
        """Between two values at each x."""
        if len(points) < 2:
            return
        there = [f"{self.x.at(x):g} {self.y.at(low):g}" for x, low, _ in points]
        back = [f"{self.x.at(x):g} {self.y.at(high):g}" for x, _, high in reversed(points)]
        self.shapes.append(Shape(f"band {kind}", path=f"M{'L'.join([*there, *back])}Z"))

    def dot(self, x: float, y: float, kind: str, title: str = "") -> None:
        self.shapes.append(Shape(f"dot {kind}", x=self.x.at(x), y=self.y.at(y), title=title))

    def rect(self, x0: float, x1: float, y0: float, y1: float, kind: str) -> None:
        left, right, top, bottom = self.x.at(x0), self.x.at(x1), self.y.at(y1), self.y.at(y0)
        width, height = max(0.5, right - left), max(0.5, bottom - top)
        self.shapes.append(Shape(f"rect {kind}", x=left, y=top, width=round(width, 1), height=round(height, 1)))

    def shade(self, x0: float, x1: float) -> None:
        """From top to bottom."""
        self.rect(x0, x1, self.y.low, self.y.high, "window")

    def label(self, x: float, y: float, text: str) -> None:
        self.labels.append(Label(self.x.at(x) + 5, self.y.at(y) - 5, text))


def chart(
    title: str,
    x_name: str,
    y_name: str,
    xs: Iterable[float],
    ys: Iterable[float],
    *,
    log_x: bool = False,
    log_y: bool = False,
    note: str = "",
) -> Chart | None:
    """An empty chart with axes around the values; None where there are none."""
    x = _scale(xs, log_x, LEFT, WIDTH - RIGHT)
    y = _scale(ys, log_y, HEIGHT - BOTTOM, TOP)
    return None if x is None or y is None else Chart(title, x_name, y_name, x, y, note=note)


def _scale(values: Iterable[float], log: bool, start: float, end: float) -> Scale | None:
    known = [value for value in values if isfinite(value) and (value > 0 or not log)]
    if not known:
        return None
    low, high = min(known), max(known)
    if log:
        low, high = _log_bounds(low, high)
        scale = Scale(low, high, True, start, end)
        return Scale(low, high, True, start, end, tuple((scale.at(tick), _text(tick)) for tick in _decades(low, high)))
    low, high = min(0.0, low), high if high > min(0.0, low) else low + 1.0
    step = _step((high - low) / 5)
    high = step * ceil(high / step - 1e-9)
    low = step * floor(low / step + 1e-9)
    scale = Scale(low, high, False, start, end)
    ticks = [low + step * n for n in range(round((high - low) / step) + 1)]
    return Scale(low, high, False, start, end, tuple((scale.at(tick), _text(tick)) for tick in ticks))


def _log_bounds(low: float, high: float) -> Pair:
    """Out to the next 1, 2 or 5 of a decade."""
    marks = [mark * 10.0**power for power in range(-9, 10) for mark in (1, 2, 5)]
    below = max((mark for mark in marks if mark <= low * (1 + 1e-9)), default=low)
    above = min((mark for mark in marks if mark >= high * (1 - 1e-9)), default=high)
    return (below, above) if above > below else (below / 2, above * 2)


def _decades(low: float, high: float) -> list[float]:
    powers = range(floor(log10(low) + 1e-9), ceil(log10(high) - 1e-9) + 1)
    wide = log10(high / low) > 3
    ticks = [mark * 10.0**power for power in powers for mark in ((1,) if wide else (1, 2, 5))]
    return [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]


def _step(rough: float) -> float:
    power = 10.0 ** floor(log10(rough))
    return next(power * mark for mark in (1, 2, 5, 10) if power * mark >= rough * (1 - 1e-9))


def _text(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
