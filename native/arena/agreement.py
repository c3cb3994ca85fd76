"""How far raters agree beyond chance: Cohen's κ for two, Fleiss' κ for a fixed number, Krippendorff's α with gaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def cohen(one: NDArray[np.int64], other: NDArray[np.int64]) -> float | None:
    """κ of two raters' categories, item by item; None where no item is there, or both always say one and the same."""
    if not len(one):
        return None
    categories, codes = np.unique(np.concatenate([one, other]), return_inverse=True)
    k = len(categories)
    table = np.bincount(codes[: len(one)] * k + codes[len(one) :], minlength=k * k).reshape(k, k) / len(one)
    return _beyond(float(np.trace(table)), float(table.sum(1) @ table.sum(0)))


def fleiss(counts: Counts) -> float | None:
    """κ of items × categories, each row with the same number of ratings; None where that is not so."""
    raters = counts.sum(1)
    if not len(counts) or raters.min() != raters.max() or raters[0] < 2:
        return None
    n = int(raters[0])
    observed = float(((counts * (counts - 1)).sum(1) / (n * (n - 1))).mean())
    shares = counts.sum(0) / counts.sum()
    return _beyond(observed, float(shares @ shares))


def krippendorff(counts: Counts) -> float | None:
    """Nominal α of items × categories; items with fewer than two ratings say nothing. None where nothing is said."""
    counts = counts[counts.sum(1) >= 2]
    total = int(counts.sum())
    if not total:
        return None
    n = counts.sum(1)
    observed = float(((counts * (counts - 1)).sum(1) / (n - 1)).sum() / total)
    sums = counts.sum(0)
    return _beyond(observed, float((sums * (sums - 1)).sum() / (total * (total - 1))))


def _beyond(observed: float, by_chance: float) -> float | None:
    return None if by_chance >= 1 else (observed - by_chance) / (1 - by_chance)
