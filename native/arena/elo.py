"""Elo ratings as chess has them, for comparison with other tools only.

They depend on the order of the battles: on a few hundred battles, the same verdicts in another order move a rating by
tens of points, and the order of the models with it. ``spread`` says by how much here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.native.arena.comparisons import Comparisons, Floats

K, SCALE, START = 32.0, 400.0, 1000.0
SHUFFLES = 20
MOST = 100_000
"""Comparisons beyond which there are no Elo ratings: they would take longer than everything else."""


@dataclass(frozen=True)
class Elo:
    rating: Floats
    spread: Floats
    """Standard deviation over shuffles of the same battles."""


def elo(rows: Comparisons, seed: int = 0) -> Elo | None:
    """In the order of the rows; None where there are too many of them."""
    if not 0 < len(rows) <= MOST:
        return None
    rng = np.random.default_rng(seed)
    given = _run(rows, np.arange(len(rows)))
    times = max(2, min(SHUFFLES, MOST // len(rows)))
    shuffled = np.stack([_run(rows, rng.permutation(len(rows))) for _ in range(times)])
    return Elo(given, shuffled.std(0, ddof=1))


def _run(rows: Comparisons, order: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Floats:
    rating = [START] * len(rows.models)
    for a, b, outcome in zip(rows.a[order].tolist(), rows.b[order].tolist(), rows.outcome[order].tolist(), strict=True):
        step = K * (outcome - 1 / (1 + 10 ** ((rating[b] - rating[a]) / SCALE)))
        rating[a] += step
        rating[b] -= step
    return np.array(rating)
