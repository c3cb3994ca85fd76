"""Krippendorff's nominal α as it is defined: by the matrix of coincidences."""

from __future__ import annotations

from collections.abc import Sequence


def alpha(ratings: Sequence[Sequence[int | None]]) -> float | None:
    """Rows are items, None is a gap; None where nothing can be said."""
    together: dict[tuple[int, int], float] = {}
    for row in ratings:
        given = [value for value in row if value is not None]
        for at, one in enumerate(given):
            for to, other in enumerate(given):
                if at != to:
                    together[one, other] = together.get((one, other), 0.0) + 1 / (len(given) - 1)
    totals: dict[int, float] = {}
    for (one, _), count in together.items():
        totals[one] = totals.get(one, 0.0) + count
    n = sum(totals.values())
    expected = sum(totals[one] * totals[other] for one in totals for other in totals if one != other)
    if not expected:
        return None
    observed = sum(count for (one, other), count in together.items() if one != other)
    return 1 - (n - 1) * observed / expected
