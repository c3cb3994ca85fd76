"""``finetuned.html``: the comparison's page, with the curve over the training's steps in front."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

from markupsafe import Markup, escape

from bridge.finetuned.schema import Curve, Finetuned, Point
from bridge.report.compare_html import comparison_html
from bridge.report.compare_words import value_words
from bridge.report.templating import asset, content_policy

WIDTH, HEIGHT = 640.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 70.0, 16.0, 12.0, 28.0
_AFTER = "<main>"


def finetuned_html(result: Finetuned) -> str:
    """One file without script; nothing is loaded, all foreign text is text."""
    section = Markup("").join(_section(result))
    if result.comparison is None:
        return _page(section)
    page = comparison_html(result.comparison)
    before, mark, rest = page.partition(_AFTER)
    return f"{before}{mark}{section}{rest}"


def _section(result: Finetuned) -> Iterator[Markup]:
    yield Markup("<section><h2>Over the steps of the training</h2><p>{}</p>").format(result.training)
    for curve in result.curves:
        yield Markup("<h3>{} <small>{}, {}</small></h3>").format(curve.dataset, curve.backend, curve.metric)
        yield plot(curve)
    notes = (*result.notes, *result.not_compared)
    yield Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(note) for note in notes))
    yield Markup("</section>")


def _page(section: Markup) -> str:
    style = asset("style.css")
    policy = escape(content_policy(style, ""))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>Over the steps of the training</title><style>{style}</style></head>"
        f"<body><main>{section}</main></body></html>\n"
    )


# The plot --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Frame:
    """Steps and values to places."""

    steps: int
    low: float
    high: float

    def x(self, step: int) -> float:
        return round(LEFT + step / max(1, self.steps) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        return round(TOP + (self.high - value) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM), 1)


def plot(curve: Curve) -> Markup:
    """The values over the steps as SVG, with a whisker where there is an interval."""
    known = [(point, point.value) for point in curve.points if point.value is not None and isfinite(point.value)]
    if not known:
        return Markup("<p>No value: {}</p>").format(next((p.reason for p in curve.points if p.reason), "none was made"))
    frame = _frame(curve, [value for _, value in known])
    told = ", ".join(f"step {point.step}: {value_words(value, curve.unit)}" for point, value in known)
    line = " ".join(f"{frame.x(point.step)},{frame.y(value)}" for point, value in known)
    head = Markup('<svg viewBox="0 0 {:g} {:g}" width="{:g}" role="img" aria-label="{}">').format(
        WIDTH, HEIGHT, WIDTH, told
    )
    drawn = Markup('<polyline points="{}" fill="none" stroke="currentColor" stroke-width="1.5"/>').format(line)
    dots = Markup("").join(_dot(point, value, curve, frame) for point, value in known)
    return head + Markup("").join(_axes(curve, frame)) + drawn + dots + Markup("</svg>")


def _frame(curve: Curve, values: Sequence[float]) -> Frame:
    last = max(point.step for point in curve.points)
    if curve.unit == "fraction":
        return Frame(last, min(0.0, *values), max(1.0, *values))
    ends = [end for point in curve.points for end in point.ci95 or ()] + list(values)
    low, high = min(ends), max(ends)
    return Frame(last, low, high if high > low else low + 1.0)


def _dot(point: Point, value: float, curve: Curve, frame: Frame) -> Markup:
    x, y = frame.x(point.step), frame.y(value)
    whisker = Markup("")
    if point.ci95:
        whisker = Markup('<line x1="{0}" x2="{0}" y1="{1}" y2="{2}" stroke="currentColor" opacity=".5"/>').format(
            x, frame.y(point.ci95[0]), frame.y(point.ci95[1])
        )
    text = f"{point.model}: {value_words(value, curve.unit)}"
    return whisker + Markup('<circle cx="{}" cy="{}" r="4" fill="currentColor"><title>{}</title></circle>').format(
        x, y, text
    )


def _axes(curve: Curve, frame: Frame) -> Iterator[Markup]:
    words = Markup('<text x="{}" y="{}" font-size="11" fill="currentColor" text-anchor="{}">{}</text>')
    for part in range(5):
        value = frame.low + (frame.high - frame.low) * part / 4
        y = frame.y(value)
        yield Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="currentColor" opacity=".15"/>').format(
            LEFT, WIDTH - RIGHT, y, y
        )
        yield words.format(LEFT - 6, y + 4, "end", value_words(value, curve.unit))
    steps = sorted({point.step for point in curve.points})
    for step in steps[:: max(1, len(steps) // 12)]:
        yield words.format(frame.x(step), HEIGHT - 8, "middle", step)
