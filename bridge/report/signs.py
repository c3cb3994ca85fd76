"""The sign-flip permutation test: without a true difference, every pair's could as well have the other sign."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import fsum, sqrt
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bridge.report.distributions import normal_tail

FLIPS = 10_000
EXACT_UP_TO = 13
"""So few differences have less sign patterns than are drawn of more: all are counted."""
NORMAL_BEYOND = 20_000
"""So many different differences have a sum that is normal to more digits than a drawn p value has."""
_CELLS = 2_000_000
"""Signs drawn at a time, which bounds the memory."""
_ROUNDING = 1e-13
"""Of the summed sizes: sums that differ by less are the same sum, added up in another order."""

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]


def sign_flip(differences: Sequence[float] | Floats, flips: int = FLIPS, seed: int = 0) -> float:
    """Two-sided permutation p of the sum: how often random signs reach what was seen, itself included.

    Exact up to thirteen differences; drawn, with a fixed seed, for more.
    """
    values = np.asarray(differences, dtype=np.float64)
    values = values[values != 0]
    if not len(values):
        return 1.0
    values = values / abs(values).max()
    total = abs(fsum(values.tolist()))
    observed = total - _ROUNDING * fsum(abs(values).tolist())
    if len(values) <= EXACT_UP_TO:
        return float((abs(_all_sums(values)) >= observed).mean())
    sizes, counts = np.unique(abs(values), return_counts=True)
    if len(sizes) > NORMAL_BEYOND:
        return min(1.0, 2 * normal_tail(total / sqrt(fsum((values * values).tolist()))))
    reached = sum(int((abs(sums) >= observed).sum()) for sums in _drawn_sums(sizes, counts, flips, seed))
    return (reached + 1) / (flips + 1)


def _all_sums(values: Floats) -> Floats:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate((sums + value, sums - value))
    return sums


def _drawn_sums(sizes: Floats, counts: Integers, flips: int, seed: int) -> Iterator[Floats]:
    """Sums under random signs. Of equal sizes only the number of plus signs matters, which is binomial."""
    random = np.random.default_rng(seed)
    single, several, many = sizes[counts == 1], sizes[counts > 1], counts[counts > 1]
    rows = max(1, _CELLS // len(sizes))
    for start in range(0, flips, rows):
        n = min(rows, flips - start)
        plus = random.integers(0, 2, size=(n, len(single)), dtype=np.int8) @ single
        balance = 2 * random.binomial(many, 0.5, size=(n, len(many))) - many
        yield 2 * plus - single.sum() + balance @ several
