"""Two models on the same samples: how big is the difference, and is there one.

Right-or-wrong scores: Bonett and Price's interval (2012, "Adjusted Wald confidence interval for a difference of
binomial proportions based on paired data") and McNemar's exact test. Other scores: Student's t interval of the mean
difference and a sign-flip permutation test. All two-sided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum, lgamma, log, sqrt
from typing import Literal

from bridge.report.estimate import Z975, Tally, t975

Z80 = 0.8416212335729143
"""The normal quantile for a power of 80 %."""
FLIPS = 10_000
_CELLS = 4_000_000
"""Signs drawn at a time, which bounds the memory."""
_ROUNDING = 1e-12
_NEGLIGIBLE = 60.0
"""Terms smaller than e^-60 of the largest add nothing to a sum of doubles."""


@dataclass(frozen=True)
class Paired:
    """Candidate minus baseline, over the ``n`` samples that both have a score for."""

    n: int
    baseline: float
    candidate: float
    difference: float
    ci95: tuple[float, float] | None
    """None for a single pair of scores that are not right-or-wrong."""
    p_value: float
    test: Literal["mcnemar-exact", "sign-flip"]
    gained: int
    """Samples on which the candidate is better."""
    lost: int
    """Samples on which the baseline is better."""
    detectable: float | None
    """The smallest true difference that this comparison would have found with a power of 80 %."""


def paired(baseline: Sequence[float], candidate: Sequence[float]) -> Paired:
    """Compares score by score; raises ValueError where there is nothing to compare or the lengths differ."""
    if not baseline or len(baseline) != len(candidate):
        raise ValueError(f"pairs are needed, not {len(baseline)} against {len(candidate)} scores")
    differences = [after - before for before, after in zip(baseline, candidate, strict=True)]
    binary = all(score in (0, 1) for scores in (baseline, candidate) for score in scores)
    n, gained, lost = len(differences), sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    stderr = _stderr(differences)
    return Paired(
        n=n,
        baseline=fsum(baseline) / n,
        candidate=fsum(candidate) / n,
        difference=fsum(differences) / n,
        ci95=bonett_price(n, gained, lost) if binary else _t_interval(differences, stderr),
        p_value=mcnemar_exact(gained, lost) if binary else sign_flip(differences),
        test="mcnemar-exact" if binary else "sign-flip",
        gained=gained,
        lost=lost,
        detectable=None if stderr is None else (Z975 + Z80) * stderr,
    )


def bonett_price(n: int, gained: int, lost: int) -> tuple[float, float]:
    """95 % interval of the difference of two paired proportions, from the discordant counts."""
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = Z975 * sqrt((up + down - (up - down) ** 2) / (n + 2))
    return max(-1.0, up - down - half), min(1.0, up - down + half)


def mcnemar_exact(gained: int, lost: int) -> float:
    """Two-sided p of the discordant counts under "either way is as likely"; computed in logarithms, so never 0/0."""
    n, k = gained + lost, min(gained, lost)
    if not n:
        return 1.0
    logs = [lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) - n * log(2) for i in range(k, -1, -1)]
    largest = logs[0]
    tail = fsum(exp(term - largest) for term in logs if term > largest - _NEGLIGIBLE)
    return min(1.0, 2 * exp(largest) * tail)


def sign_flip(differences: Sequence[float], flips: int = FLIPS, seed: int = 0) -> float:
    """Two-sided permutation p of the mean difference: how often random signs reach what was seen, itself included."""
    import numpy as np

    values = np.array([d for d in differences if d], dtype=float)
    if not len(values):
        return 1.0
    total, random = values.sum(), np.random.default_rng(seed)
    observed, reached = abs(total) * (1 - _ROUNDING), 0
    rows = max(1, _CELLS // len(values))
    for start in range(0, flips, rows):
        flipped = random.integers(0, 2, size=(min(rows, flips - start), len(values)), dtype=np.int8) @ values
        reached += int((abs(total - 2 * flipped) >= observed).sum())
    return (reached + 1) / (flips + 1)


def _stderr(differences: Sequence[float]) -> float | None:
    tally = Tally()
    for difference in differences:
        tally.add(difference)
    return tally.estimate().stderr


def _t_interval(differences: Sequence[float], stderr: float | None) -> tuple[float, float] | None:
    if stderr is None:
        return None
    mean, half = fsum(differences) / len(differences), t975(len(differences) - 1) * stderr
    return mean - half, mean + half
