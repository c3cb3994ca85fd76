"""An arena for the terminal: a table for each group of models that can be compared, and one of the judges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bridge.report.arena_schema import ArenaJudge, ArenaModel
from bridge.report.numbers import range_text, rank_text
from bridge.report.schema import Report, ResultRow
from bridge.report.text import visible


def arena_tables(report: Report) -> Iterator[RenderableType]:
    arena = report.arena
    if arena is None:
        return
    if arena.models:
        groups = [[one for one in arena.models if one.component == at] for at in range(len(arena.components))]
        joined = [group for group in groups if len(group) > 1]
        alone = [one for group in groups for one in group if len(group) == 1]
        for number, group in enumerate(joined, 1):
            yield _leaderboard(group, arena.level, f"group {number}: on a scale of its own" if len(joined) > 1 else "")
        if alone:
            yield _leaderboard(alone, arena.level, "never compared with any other model")
    else:
        yield _scores([row for row in report.results if row.primary])
    if arena.judges:
        yield _judges(arena.judges)


def _leaderboard(models: Sequence[ArenaModel], level: float, title: str) -> Table:
    table = _table(title)
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("model", overflow="fold")
    for header in ("rating", f"{100 * level:g} % interval"):
        table.add_column(header, justify="right", no_wrap=True)
    extra = [name for name in ("rating_style", "win_rate") if any(getattr(one, name) is not None for one in models)]
    for header in (*(name.replace("_", " ") for name in extra), "won", "tied", "lost"):
        table.add_column(header, justify="right", no_wrap=True)
    for one in models:
        further = [_number(getattr(one, name), percent=name == "win_rate") for name in extra]
        counts = [f"{count:,}" for count in (one.wins, one.ties, one.losses)]
        table.add_row(rank_text(one), Text(visible(one.model)), _number(one.rating), range_text(one), *further, *counts)
    return table


def _scores(rows: Sequence[ResultRow]) -> Table:
    table = _table("")
    table.add_column("model", overflow="fold")
    for header in ("score", "95 % interval", "n", "errors"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in sorted(rows, key=lambda row: -(row.value if row.value is not None else -1e9)):
        interval = f"{row.ci95[0]:.2f} – {row.ci95[1]:.2f}" if row.ci95 else "–"
        value = "–" if row.value is None else f"{row.value:.2f}"
        table.add_row(Text(visible(row.model)), value, interval, f"{row.n:,}", f"{row.n_errors:,}")
    return table


def _judges(judges: Sequence[ArenaJudge]) -> Table:
    table = _table("judges")
    table.add_column("judge", overflow="fold")
    for header in ("calls", "failed", "unparsed", "same after swap", "first", "longer", "with people", "cost"):
        table.add_column(header, justify="right", no_wrap=True)
    for one in judges:
        people = f"{one.with_people.accuracy:.0%} of {one.with_people.n:,}" if one.with_people else "–"
        shares = [_number(x, percent=True) for x in (one.consistency, one.first_position_share, one.longer_share)]
        counts = [f"{one.calls:,}", f"{one.failed:,}", f"{one.unparsed:,}"]
        cost = "–" if one.cost is None else f"${one.cost:,.2f}"
        table.add_row(Text(visible(one.judge)), *counts, *shares, people, cost)
    return table


def _number(value: float | None, *, percent: bool = False) -> str:
    if value is None:
        return "–"
    return f"{value:.1%}" if percent else f"{value:.0f}"


def _table(title: str) -> Table:
    return Table(title=Text(title) if title else None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
