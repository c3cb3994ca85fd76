"""Many tests at once: p values that may be read together."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p values: of all claims with an adjusted p below α, none is wrong with probability 1 - α."""
    adjusted, worst = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(_ascending(p_values)):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = worst
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values: of the findings with one below q, a share of q at most is expected to be wrong."""
    adjusted, least = [0.0] * len(p_values), 1.0
    n = len(p_values)
    for rank, at in reversed(list(enumerate(_ascending(p_values), 1))):
        least = min(least, p_values[at] * n / rank)
        adjusted[at] = least
    return adjusted


def _ascending(p_values: Sequence[float]) -> list[int]:
    return sorted(range(len(p_values)), key=p_values.__getitem__)
