"""How the report's numbers are written for people: the same in the terminal, in Markdown and in HTML.

Fractions are shown in percent with two decimals; other units with theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.report.arena_schema import ArenaModel
    from bridge.report.schema import ResultRow


NO_VALUE = "–"


def value_text(row: ResultRow) -> str:
    """``60.50 %``, ``8.31``, ``1,204``; a dash where there is no value."""
    if row.value is None:
        return NO_VALUE
    return _number(row.value, row.unit) + _suffix(row.unit)


def interval_text(row: ResultRow) -> str:
    """``[53.59, 67.03]`` in the unit of the value; empty where there is none."""
    if row.value is None or row.ci95 is None:
        return ""
    low, high = (_number(bound, row.unit) for bound in row.ci95)
    return f"[{low}, {high}]"


def rank_text(one: ArenaModel) -> str:
    """``3``, or ``3 (2–5)`` where the rank is not sure."""
    if one.rank is None:
        return NO_VALUE
    if one.rank_low is None or one.rank_low == one.rank_high:
        return str(one.rank)
    return f"{one.rank} ({one.rank_low}–{one.rank_high})"


def range_text(one: ArenaModel) -> str:
    """The interval; of a model that never won or never lost the one side that it has."""
    if one.interval is not None:
        return f"{one.interval[0]:.0f} – {one.interval[1]:.0f}"
    if one.unbounded == "below":
        return f"below {one.bound:.0f}" if one.bound is not None else "never won"
    if one.unbounded == "above":
        return f"above {one.bound:.0f}" if one.bound is not None else "never lost"
    return NO_VALUE


def duration_text(seconds: float) -> str:
    """``12 s``, ``3 min 20 s``, ``2 h 05 min``."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {whole % 60:02d} s" if minutes else f"{whole} s"


def _number(value: float, unit: str) -> str:
    if unit == "fraction":
        return f"{100 * value:.2f}"
    if unit in ("count", "tokens") and value == int(value):
        return f"{value:,.0f}"
    if unit == "seconds" and 0 < abs(value) < 1:
        return f"{value:.4g}"
    return f"{value:,.2f}"


def _suffix(unit: str) -> str:
    return {"fraction": " %", "seconds": " s", "tokens": " tokens", "per_second": " /s"}.get(unit, "")
