"""Battles and decisions made of a few words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bridge.arena_spec import ArenaBlock, IntervalSpec, RatingSpec
from bridge.native.arena.battle import Battle, BattleError, Decision, battle_id, in_order
from bridge.native.arena.comparisons import Comparisons, comparisons
from bridge.native.arena.settings import RatingRun


def won(a: str, b: str, wins: int, losses: int = 0, ties: int = 0, start: int = 0) -> list[Decision]:
    """Each on a question of its own."""
    winners = ["a"] * wins + ["b"] * losses + ["tie"] * ties
    return [
        Decision(question_id=f"{a}{b}{start + at}", model_a=a, model_b=b, winner=winner, rule="", votes={})  # type: ignore[arg-type]
        for at, winner in enumerate(winners)
    ]


def table(*results: tuple[str, str, int, int] | tuple[str, str, int, int, int]) -> Comparisons:
    return comparisons(row for result in results for row in won(*result))


def how(**fields: Any) -> RatingSpec:
    """A rating spec with few resamples."""
    ci = IntervalSpec(**{"resamples": 200, **fields.pop("ci", {})})
    return RatingSpec(ci=ci, **fields)


def battle(question: str, a: str, b: str, verdict: str | None, *, judge: str = "j", **fields: Any) -> Battle:
    """``a`` is shown first unless ``shown_first`` says "b"; no verdict is a failed call."""
    first = fields.pop("shown_first", "a")
    kind = fields.pop("kind", "failed")
    error = None if verdict else BattleError(kind, "refused")
    names = ("repeat", "annotator", "turn")
    identity = {name: fields[name] for name in names if name in fields}
    made = Battle(
        battle_id=battle_id(question, min(a, b), max(a, b), judge, shown_first=first, **identity),
        question_id=question,
        model_a=a,
        model_b=b,
        shown_first=first,
        judge=judge,
        verdict=verdict,  # type: ignore[arg-type]
        error=error,
        **fields,
    )
    return in_order(made)


def both(question: str, a: str, b: str, first: str | None, second: str | None, **fields: Any) -> list[Battle]:
    """A judge's two orders; verdicts are about a and b, whatever was shown first."""
    return [
        battle(question, a, b, first, shown_first="a", **fields),
        battle(question, a, b, second, shown_first="b", **fields),
    ]


def run_of(battles: Iterable[Battle] = (), **fields: Any) -> RatingRun:
    rating = fields.pop("rating", how())
    judges = fields.pop("judges", ())
    return RatingRun(
        "made", "questions", ArenaBlock(**{"mode": "pairwise-all", "rating": rating, **fields}), (), judges
    )
