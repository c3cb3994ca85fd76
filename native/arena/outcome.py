"""Everything that is computed from the battles of one arena, in one place, before it is put into words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.arena_spec import RatingSpec
from bridge.errors import OutputError
from bridge.native.arena.comparisons import STYLES, Comparisons
from bridge.native.arena.decide import Decisions, comparisons_of, decide, hear
from bridge.native.arena.elo import Elo, elo
from bridge.native.arena.judges import Judged, Panel, measured, panel
from bridge.native.arena.pairs import Cycle, Misfit, Pair, misfit, pairs, strongest_cycle
from bridge.native.arena.ratings import BASE, Ratings, rate
from bridge.native.arena.settings import RatingRun
from bridge.native.arena.votes import Votes
from bridge.native.arena.win_rate import WinRate, win_rates

STYLE_TERMS = {"length": ("length",), "markdown": ("headers", "lists", "bold")}


@dataclass(frozen=True)
class Outcome:
    """Of a pairwise arena."""

    run: RatingRun
    decisions: Decisions
    rows: Comparisons
    ratings: Ratings
    style: Ratings | None
    """The ratings at equal style; at equal length where a baseline asks for an adjusted win rate."""
    style_reason: str
    """Why there is none, where one was wanted."""
    by_category: dict[str, Ratings]
    win_rates: list[WinRate]
    wins_by_category: dict[str, list[WinRate]]
    elo: Elo | None
    pairs: list[Pair]
    cycle: Cycle | None
    misfit: Misfit | None
    judges: list[Judged]
    panel: Panel | None
    n_battles: int
    notes: tuple[str, ...]


def outcome(votes: Votes, run: RatingRun) -> Outcome:
    """Pure: the same battles and settings give the same figures, to the last bit."""
    heard = hear(votes, run.block)
    return conclude(decide(heard, run.block, run.judges), measured(votes, heard), len(votes), run)


def conclude(decisions: Decisions, judges: list[Judged], n_battles: int, run: RatingRun) -> Outcome:
    rows = comparisons_of(decisions)
    how, anchors = run.block.rating, _anchors(run, rows)
    ratings, notes = _rated(rows, how, anchors, first_position=run.block.order == "random")
    style, reason = _style(rows, run, anchors)
    found = pairs(rows, ratings)
    names = [name for name in rows.categories if name]
    parts = {name: rows.in_category(name) for name in names} if len(names) > 1 else {}
    return Outcome(
        run=run,
        decisions=decisions,
        rows=rows,
        ratings=ratings,
        style=style,
        style_reason=reason,
        by_category={name: _rated(part, how, _present(anchors, part))[0] for name, part in parts.items()},
        win_rates=win_rates(rows, run.block.baseline_of),
        wins_by_category={name: win_rates(part, run.block.baseline_of) for name, part in parts.items()},
        elo=elo(rows),
        pairs=found,
        cycle=strongest_cycle(found),
        misfit=misfit(rows, ratings, how.scale),
        judges=judges,
        panel=panel(decisions),
        n_battles=n_battles,
        notes=notes,
    )


def _rated(
    rows: Comparisons, how: RatingSpec, anchors: dict[str, float], *, first_position: bool = False
) -> tuple[Ratings, tuple[str, ...]]:
    """The ratings; without the term for the first position where that cannot be told from the models."""
    if first_position:
        try:
            return rate(rows, how, anchors=anchors, first_position=True), ()
        except OutputError:
            note = "what being shown first is worth cannot be told from the models: it is not taken out of the ratings"
            return rate(rows, how, anchors=anchors), (note,)
    return rate(rows, how, anchors=anchors), ()


def _anchors(run: RatingRun, rows: Comparisons) -> dict[str, float]:
    """The spec's; else the baseline at 1000, where there is one for all categories."""
    if run.block.rating.anchor:
        return dict(run.block.rating.anchor)
    baselines = set((run.block.baseline or {}).values())
    return {name: BASE for name in baselines if len(baselines) == 1 and name in rows.models}


def _present(anchors: dict[str, float], part: Comparisons) -> dict[str, float]:
    """Anchors that play in this category; without them its mean is 1000."""
    at = {name: number for number, name in enumerate(part.models)}
    played = np.union1d(part.a, part.b)
    return {name: value for name, value in anchors.items() if at[name] in played}


def _style(rows: Comparisons, run: RatingRun, anchors: dict[str, float]) -> tuple[Ratings | None, str]:
    wanted = run.block.rating.style or (("length",) if run.block.baseline else ())
    terms = [term for name in wanted for term in STYLE_TERMS[name]]
    if not terms:
        return None, ""
    if np.isnan(rows.style[:, [STYLES.index(name) for name in terms]]).any(1).all():
        return None, "the battles do not say what the answers look like"
    try:
        return rate(rows, run.block.rating, anchors=anchors, style=terms), ""
    except OutputError as error:
        return None, str(error)
