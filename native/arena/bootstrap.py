"""Ratings from many resampled sets of questions, all fitted at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bridge.errors import OutputError
from bridge.native.arena.clusters import Clusters
from bridge.native.arena.comparisons import Floats, Integers

BLOCK = 20
"""Resamples at a time; a block has a random stream of its own, so that threads do not change the result."""
THREADS = 2
TOLERANCE = 1e-7
LIMIT = 200
LONGEST_STEP = 1.0
"""Newton on a logistic curve overshoots from afar; so far it may go at once."""
PRIOR = 0.05
"""Pseudo-ties per pair that met: without them, a resample in which somebody never won has no finite ratings."""


def bootstrap(groups: Clusters, theta: Floats, resamples: int, seed: int) -> Floats:
    """``resamples`` × models: θ with mean 0, each from as many questions as there are, drawn with replacement."""
    streams = np.random.SeedSequence(seed).spawn(-(-resamples // BLOCK))
    entries = _by_cell(groups)
    prior = _prior(groups)

    def block(stream: np.random.SeedSequence) -> Floats:
        wins = _wins(groups, entries, np.random.default_rng(stream))
        return fit_many(wins + prior, theta)

    with ThreadPoolExecutor(THREADS) as pool:
        return np.concatenate(list(pool.map(block, streams)))[:resamples]


def fit_many(wins: Floats, start: Floats) -> Floats:
    """θ of each of the tables ``wins`` (… × winner × loser, a tie half for each), by Newton's method from ``start``."""
    played = wins + wins.swapaxes(1, 2)
    m = len(start)
    theta = np.tile(start, (len(wins), 1))
    for _ in range(LIMIT):
        p = 1 / (1 + np.exp(theta[:, None, :] - theta[:, :, None]))
        expected = played * p
        curvature = -expected * (1 - p)
        diagonal = np.arange(m)
        curvature[:, diagonal, diagonal] = 0
        curvature[:, diagonal, diagonal] = -curvature.sum(2)
        step = np.linalg.solve(curvature + 1 / m, (wins - expected).sum(2)[:, :, None])[:, :, 0]
        longest = np.abs(step).max(1, keepdims=True)
        theta += step * np.minimum(1, LONGEST_STEP / np.maximum(longest, 1e-300))
        if longest.max(initial=0) < TOLERANCE:
            return np.asarray(theta - theta.mean(1, keepdims=True))
    raise OutputError(f"resampled ratings do not settle in {LIMIT} steps; set arena.rating.ci.method: sandwich")


def _by_cell(groups: Clusters) -> tuple[Integers, Integers, Integers]:
    """Units in the order of their cells, where each cell begins, and which cell that is."""
    order = np.argsort(groups.cell, kind="stable")
    cell = groups.cell[order]
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    return groups.unit[order], starts, cell[starts]


def _wins(groups: Clusters, entries: tuple[Integers, Integers, Integers], rng: np.random.Generator) -> Floats:
    units, starts, cells = entries
    m, rows = groups.cells.m, groups.cells
    a, b, outcome, weight = rows.a[cells], rows.b[cells], rows.outcome[cells], rows.weight[cells]
    found = np.zeros((BLOCK, m * m))
    for at, drawn in enumerate(_draws(groups, rng)):
        times = np.add.reduceat(drawn[units], starts) * weight
        found[at] = np.bincount(a * m + b, times * outcome, m * m)
        found[at] += np.bincount(b * m + a, times * (1 - outcome), m * m)
    return found.reshape(BLOCK, m, m)


def _draws(groups: Clusters, rng: np.random.Generator) -> Iterator[Floats]:
    """How often each unit comes in a resample."""
    n, units = groups.n, len(groups.count)
    if 10 * units < n:
        yield from rng.multinomial(n, groups.count / n, BLOCK).astype(np.float64)
        return
    unit_of = np.repeat(np.arange(units), groups.count)
    for _ in range(BLOCK):
        yield np.bincount(unit_of[rng.integers(0, n, n)], minlength=units).astype(np.float64)


def _prior(groups: Clusters) -> Floats:
    m = groups.cells.m
    met = np.zeros((m, m))
    met[groups.cells.a, groups.cells.b] = met[groups.cells.b, groups.cells.a] = PRIOR / 2
    return met
