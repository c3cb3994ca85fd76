"""Places in a table whose values are not certain."""

from __future__ import annotations

from collections.abc import Sequence

ALIKE = 1e-6
"""Ratings that differ by less share a place."""

Interval = tuple[float, float]


def places(values: Sequence[float]) -> list[int]:
    """1 + how many are better; equal values share a place."""
    return [1 + sum(other > value + ALIKE for other in values) for value in values]


def place_ranges(intervals: Sequence[Interval]) -> list[tuple[int, int]]:
    """The best and the worst place of each: above it stands for certain only what lies wholly above its interval."""
    return [
        (1 + sum(low > high_own for low, _ in intervals), len(intervals) - sum(high < low_own for _, high in intervals))
        for low_own, high_own in intervals
    ]


def separability(intervals: Sequence[Interval]) -> float | None:
    """The share of pairs whose intervals do not overlap (arena-hard's measure of a benchmark); None below two."""
    ordered = sorted(intervals)
    n = len(ordered)
    apart = sum(ordered[j][0] >= ordered[i][1] for i in range(n) for j in range(i + 1, n))
    return apart / (n * (n - 1) / 2) if n > 1 else None
