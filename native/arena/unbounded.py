"""Models that never won, or never lost: where to show them, and how far from the others they are at least."""

from __future__ import annotations

import math

import numpy as np

from bridge.native.arena.comparisons import Comparisons, Floats, Integers
from bridge.native.arena.components import Unbounded
from bridge.native.arena.fit import LONGEST_STEP

PRIOR = 0.05
"""Pseudo-ties for each pair that met. It gives a number to what has none; others are not moved by it."""
LIMIT = 500
FAR = 60.0
"""In θ; beyond it no probability differs from 0 or 1."""


def wins_table(rows: Comparisons) -> Floats:
    """``[i, j]``: how often i won against j, a tie half for each."""
    m = len(rows.models)
    found = np.bincount(rows.a * m + rows.b, rows.weight * rows.outcome, m * m)
    found += np.bincount(rows.b * m + rows.a, rows.weight * (1 - rows.outcome), m * m)
    return np.asarray(found.reshape(m, m), np.float64)


def placed(wins: Floats, theta: Floats, free: Integers, prior: float) -> Floats:
    """θ with that of the ``free`` models put where they fit best, all others as they are."""
    table = wins + (wins + wins.T > 0) * prior / 2
    played = table + table.T
    theta = theta.copy()
    for _ in range(LIMIT):
        p = 1 / (1 + np.exp(np.clip(theta[None, :] - theta[:, None], -700, 700)))
        expected = played * p
        curvature = expected * (1 - p)
        np.fill_diagonal(curvature, 0)
        part = (np.diag(curvature.sum(1)) - curvature)[np.ix_(free, free)]
        step = np.linalg.solve(part, (table - expected).sum(1)[free])
        longest = float(np.abs(step).max(initial=0))
        theta[free] += step * min(1.0, LONGEST_STEP / longest if longest else 1.0)
        if longest < 1e-10:
            break
    return theta


def bound(rows: Comparisons, model: int, side: Unbounded, theta: Floats, core: Integers, alpha: float) -> float | None:
    """The θ that the model passes on its open side only: its results against the core, all lost (or all won), have
    the probability ``alpha`` there. A question counts once, however often it was asked. None: it never met the core.
    """
    own = ((rows.a == model) & np.isin(rows.b, core)) | ((rows.b == model) & np.isin(rows.a, core))
    if not own.any():
        return None
    rivals = np.where(rows.a[own] == model, rows.b[own], rows.a[own])
    share = len(np.unique(rows.question[own])) / int(own.sum())
    sign = 1.0 if side == "below" else -1.0
    low, high = -FAR, FAR
    for _ in range(100):
        middle = (low + high) / 2
        chance = -share * float(np.logaddexp(0, middle - sign * theta[rivals]).sum())
        low, high = (middle, high) if chance > math.log(alpha) else (low, middle)
    return sign * (low + high) / 2
