"""The section of a report about an arena: leaderboard, pairs, categories, judges, and the battles to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path

from bridge.report.arena_browser import Browser, browser
from bridge.report.arena_schema import ArenaJudge, ArenaModel, ArenaPair, ArenaReport
from bridge.report.numbers import range_text, rank_text
from bridge.report.plot import WIDTH, Axis
from bridge.report.schema import Report, ResultRow
from bridge.report.sections import Section

MOST_IN_MATRIX = 40
SURE, LIKELY = 0.05, 0.2
"""Adjusted p below which a pair is called apart, or perhaps apart."""


@dataclass(frozen=True)
class Line:
    """One model of a leaderboard; places are on the axis of its group, None where there is no number."""

    model: ArenaModel
    rank: str
    interval: str
    at: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Group:
    """Models on one scale."""

    axis: Axis
    lines: tuple[Line, ...]
    has: frozenset[str]
    """Of the columns that not every arena has: ``rating_style``, ``win_rate``, ``win_rate_adjusted``, ``elo``."""


@dataclass(frozen=True)
class Cell:
    """Of the matrix: the row's model against the column's."""

    text: str
    title: str
    tone: str
    """``won``, ``won-likely``, ``lost``, ``lost-likely``, ``even`` or ``none``."""


@dataclass(frozen=True)
class CategoryCell:
    text: str
    title: str
    tone: str
    """Against the model's own value over all categories: ``up``, ``down`` or ``same``."""


@dataclass(frozen=True)
class Content:
    arena: ArenaReport
    groups: tuple[Group, ...]
    alone: tuple[ArenaModel, ...]
    """Models that met nobody."""
    matrix_names: tuple[str, ...]
    matrix: tuple[tuple[Cell | None, ...], ...]
    matrix_left_out: int
    categories: tuple[str, ...]
    by_category: tuple[tuple[str, tuple[CategoryCell | None, ...]], ...]
    category_metric: str
    judges: tuple[ArenaJudge, ...]
    browser: Browser
    width: float = WIDTH


def content(report: Report, root: Path) -> Content | None:
    arena = report.arena
    if arena is None:
        return None
    groups = [[one for one in arena.models if one.component == at] for at in range(len(arena.components))]
    names = [one.model for one in arena.models][:MOST_IN_MATRIX]
    metric = "rating" if arena.models else "score"
    categories, table = _categories(report, metric)
    return Content(
        arena=arena,
        groups=tuple(_group(group) for group in groups if len(group) > 1),
        alone=tuple(one for group in groups for one in group if len(group) == 1),
        matrix_names=tuple(names),
        matrix=_matrix(names, arena.pairs),
        matrix_left_out=len(arena.models) - len(names),
        categories=categories,
        by_category=table,
        category_metric=metric,
        judges=arena.judges,
        browser=browser(arena, root),
    )


def _group(models: Sequence[ArenaModel]) -> Group:
    axis = _axis(models)
    optional = ("rating_style", "win_rate", "win_rate_adjusted", "elo")
    has = frozenset(name for name in optional if any(getattr(one, name) is not None for one in models))
    return Group(axis, tuple(_line(one, axis) for one in models), has)


def _axis(models: Sequence[ArenaModel]) -> Axis:
    """Round numbers around all ratings and intervals; a rating that is a prior's does not stretch it."""
    values = [one.rating for one in models if one.rating is not None and one.unbounded is None]
    values += [end for one in models for end in one.interval or ()] or [1000.0]
    step = 100.0
    low, high = floor(min(values) / step) * step, ceil(max(values) / step) * step
    high = high if high > low else low + step
    axis = Axis(low, high, (), "rating")
    ticks = [low + (high - low) * part / 4 for part in range(5)]
    return Axis(low, high, tuple((axis.x(value), f"{value:,.0f}") for value in ticks), "rating")


def _line(one: ArenaModel, axis: Axis) -> Line:
    low, high = one.interval or (None, None)
    if one.unbounded == "below" and one.bound is not None:
        low, high = axis.low, one.bound
    if one.unbounded == "above" and one.bound is not None:
        low, high = one.bound, axis.high
    places = [None if value is None else axis.x(value) for value in (one.rating, low, high)]
    return Line(one, rank_text(one), range_text(one), places[0], places[1], places[2])


def _matrix(names: Sequence[str], pairs: Sequence[ArenaPair]) -> tuple[tuple[Cell | None, ...], ...]:
    found: dict[tuple[str, str], Cell] = {}
    for pair in pairs:
        found[pair.model_a, pair.model_b] = _cell(pair, pair.wins_a, pair.wins_b, pair.p_better)
        turned = None if pair.p_better is None else 1 - pair.p_better
        found[pair.model_b, pair.model_a] = _cell(pair, pair.wins_b, pair.wins_a, turned)
    return tuple(tuple(found.get((row, column)) for column in names) for row in names)


def _cell(pair: ArenaPair, won: int, lost: int, better: float | None) -> Cell:
    n = won + lost + pair.ties
    p = "" if pair.p_holm is None else f"; adjusted p {pair.p_holm:.3g}"
    chance = "better with an unknown probability" if better is None else f"better with probability {better:.1%}"
    title = f"{chance}{p}; met {n:,} times: {won:,} won, {pair.ties:,} tied, {lost:,} lost"
    tone = "none" if better is None else "even"
    if better is not None and pair.p_holm is not None and pair.p_holm < LIKELY:
        side = "won" if better > 0.5 else "lost"
        tone = side if pair.p_holm < SURE else f"{side}-likely"
    text = "–" if not n and better is None else f"{won:,}–{lost:,}" if better is None else f"{100 * better:.0f} %"
    return Cell(text, title, tone)


def _categories(
    report: Report, metric: str
) -> tuple[tuple[str, ...], tuple[tuple[str, tuple[CategoryCell | None, ...]], ...]]:
    rows = [row for row in report.results if row.metric == metric]
    names = tuple(dict.fromkeys(row.subset for row in rows if row.subset is not None))
    whole = {row.model: row for row in rows if row.subset is None}
    found = {(row.model, row.subset): row for row in rows if row.subset is not None}
    order = sorted(whole, key=lambda model: -(whole[model].value or -1e9))
    table = tuple(
        (model, tuple(_category_cell(found.get((model, name)), whole[model]) for name in names)) for model in order
    )
    return names, table if names else ()


def _category_cell(row: ResultRow | None, whole: ResultRow) -> CategoryCell | None:
    if row is None or row.value is None:
        return None
    digits = 0 if row.unit == "rating" else 2
    if side := row.settings.get("unbounded"):
        return CategoryCell(_open_end(side, row.settings.get("bound")), f"n {row.n:,}; {row.reason}", "none")
    interval = f" ({row.ci95[0]:.{digits}f} – {row.ci95[1]:.{digits}f})" if row.ci95 else ""
    tone = "same"
    if row.ci95 and whole.value is not None and not row.ci95[0] <= whole.value <= row.ci95[1]:
        tone = "up" if row.value > whole.value else "down"
    return CategoryCell(f"{row.value:.{digits}f}", f"n {row.n:,}{interval}", tone)


def _open_end(side: str, bound: float | None) -> str:
    """Of a model that never won, or never lost, in a category: no number stands for it."""
    if bound is None:
        return "never won" if side == "below" else "never lost"
    return f"{'<' if side == 'below' else '>'} {bound:.0f}"


SECTION = Section("arena", "Arena", "_arena.html", lambda report: report.arena is not None, content, "arena.js")
