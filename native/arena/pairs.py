"""Every pair of models: how they did against each other, and whether one is better by all that is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.native.arena.comparisons import Comparisons
from bridge.native.arena.ratings import Ratings
from bridge.report.distributions import normal_tail
from bridge.report.multiple import holm


@dataclass(frozen=True)
class Pair:
    model_a: str
    model_b: str
    wins_a: int
    wins_b: int
    ties: int
    p_better: float | None
    """Probability that a is better than b, by the difference of their ratings; None where that has no end or is on
    two scales."""
    p_holm: float | None
    """Of no difference, two-sided, for all pairs of the component together."""

    @property
    def n(self) -> int:
        return self.wins_a + self.wins_b + self.ties


def pairs(rows: Comparisons, ratings: Ratings) -> list[Pair]:
    wins_a, wins_b, ties = _tables(rows)
    better = _better(ratings)
    adjusted = dict(zip(better, holm([_two_sided(p) for p in better.values()]), strict=True))
    m = len(rows.models)
    return [
        Pair(
            rows.models[i],
            rows.models[j],
            int(wins_a[i, j] + wins_b[j, i]),
            int(wins_b[i, j] + wins_a[j, i]),
            int(ties[i, j] + ties[j, i]),
            better.get((i, j)),
            adjusted.get((i, j)),
        )
        for i in range(m)
        for j in range(i + 1, m)
    ]


def _tables(rows: Comparisons) -> list[NDArray[Any]]:
    m = len(rows.models)
    cell = rows.a * m + rows.b
    return [np.bincount(cell[rows.outcome == value], minlength=m * m).reshape(m, m) for value in (1.0, 0.0, 0.5)]


def _better(ratings: Ratings) -> dict[tuple[int, int], float]:
    """P(i better than j) for i < j on one scale, where the difference has a spread."""
    found: dict[tuple[int, int], float] = {}
    for scale in ratings.scales:
        for at, i in enumerate(map(int, scale.members)):
            for to, j in enumerate(map(int, scale.members)):
                variance = scale.cov[at, at] + scale.cov[to, to] - 2 * scale.cov[at, to]
                if i < j and variance > 1e-12:
                    found[i, j] = 1 - normal_tail(float((scale.rating[at] - scale.rating[to]) / math.sqrt(variance)))
    return found


def _two_sided(p_better: float) -> float:
    return min(1.0, 2 * min(p_better, 1 - p_better))


@dataclass(frozen=True)
class Cycle:
    """Models of which each beats the next more often than not, and the last one the first."""

    models: tuple[str, ...]
    margin: int
    """By so many wins at least."""


def strongest_cycle(found: Sequence[Pair]) -> Cycle | None:
    """The cycle whose smallest margin is largest: edges are added from the widest down until one closes a circle."""
    edges = sorted((-abs(pair.wins_a - pair.wins_b), *_ordered(pair)) for pair in found if pair.wins_a != pair.wins_b)
    beats: dict[str, list[str]] = {}
    for margin, winner, loser in edges:
        if path := _path(beats, loser, winner):
            return Cycle(tuple(path), -margin)
        beats.setdefault(winner, []).append(loser)
    return None


def _ordered(pair: Pair) -> tuple[str, str]:
    return (pair.model_a, pair.model_b) if pair.wins_a > pair.wins_b else (pair.model_b, pair.model_a)


def _path(beats: dict[str, list[str]], start: str, end: str) -> list[str]:
    """From ``start`` to ``end`` along wins; empty where there is none."""
    before: dict[str, str] = {start: start}
    queue = [start]
    for model in queue:
        for next_one in beats.get(model, []):
            if next_one not in before:
                before[next_one] = model
                queue.append(next_one)
    if end not in before:
        return []
    path = [end]
    while path[-1] != start:
        path.append(before[path[-1]])
    return path[::-1]


@dataclass(frozen=True)
class Misfit:
    """How far the pairs are from what the ratings say of them: Pearson's χ² over pairs."""

    chi2: float
    df: int


def misfit(rows: Comparisons, ratings: Ratings, scale_points: float) -> Misfit | None:
    """Of the largest component's finite part; None where there is no pair to spare."""
    if not ratings.scales:
        return None
    scale = ratings.scales[0]
    at = np.full(len(rows.models), -1)
    at[scale.members] = np.arange(len(scale.members))
    inside = (at[rows.a] >= 0) & (at[rows.b] >= 0)
    a, b, outcome = at[rows.a[inside]], at[rows.b[inside]], rows.outcome[inside]
    low, high = np.minimum(a, b), np.maximum(a, b)
    m = len(scale.members)
    n = np.bincount(low * m + high, minlength=m * m)
    won = np.bincount(low * m + high, np.where(a < b, outcome, 1 - outcome), m * m)
    met = np.flatnonzero(n)
    p = 1 / (1 + 10 ** ((scale.rating[met % m] - scale.rating[met // m]) / scale_points))
    df = len(met) - (m - 1)
    chi2 = ((won[met] - n[met] * p) ** 2 / (n[met] * p * (1 - p))).sum()
    return Misfit(float(chi2), df) if df > 0 else None
