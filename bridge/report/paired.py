"""Two models on the same samples: how big is the difference, and is there one.

- Right-or-wrong scores: Bonett and Price's interval (2012, "Adjusted Wald confidence interval for a difference of
  binomial proportions based on paired data") and McNemar's exact test.
- Other scores, samples in clusters, and means over strata: Student's t interval and a sign-flip permutation test. A
  cluster is the unit that is flipped, and the one whose sums have the spread.

All intervals are of 95 %, all tests two-sided; ``Evidence`` answers the one-sided questions of a gate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, fsum, inf, lgamma, log, sqrt
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from bridge.report.distributions import t_quantile, t_tail
from bridge.report.estimate import ROUNDING, Z975
from bridge.report.signs import sign_flip

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]

Z80 = 0.8416212335729143
"""The normal quantile for a power of 80 %."""
_NEGLIGIBLE = 60.0
"""Terms smaller than e^-60 of the largest add nothing to a sum of doubles."""

__all__ = [
    *("Evidence", "Floats", "Integers", "Paired", "Spread"),
    *("bonett_price", "combined", "mcnemar_exact", "paired", "ratio_evidence", "sign_flip"),
]


@dataclass(frozen=True)
class Evidence:
    """What is known of a true difference: an estimate with a standard error and degrees of freedom."""

    estimate: float
    stderr: float
    df: float = inf

    def p_above(self, bound: float) -> float:
        """One-sided p of "the true value is at most ``bound``": small where it is proven to be above."""
        if not self.stderr:
            return 0.0 if self.estimate > bound else 1.0
        return t_tail((self.estimate - bound) / self.stderr, self.df)

    def p_below(self, bound: float) -> float:
        """One-sided p of "the true value is at least ``bound``": small where it is proven to be below."""
        if not self.stderr:
            return 0.0 if self.estimate < bound else 1.0
        return t_tail((bound - self.estimate) / self.stderr, self.df)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        half = t_quantile((1 + level) / 2, self.df) * self.stderr
        return self.estimate - half, self.estimate + half


@dataclass(frozen=True)
class Spread:
    """Variances and covariance of the two means, for statements about their ratio."""

    baseline: float
    candidate: float
    covariance: float


@dataclass(frozen=True)
class Paired:
    """Candidate minus baseline, over the ``n`` samples that both have a score for."""

    n: int
    baseline: float
    candidate: float
    difference: float
    ci95: tuple[float, float] | None
    """None for a single pair, or a single cluster, of scores that are not right-or-wrong."""
    p_value: float
    test: Literal["mcnemar-exact", "sign-flip"]
    gained: int
    """Samples on which the candidate has the higher score."""
    lost: int
    """Samples on which the baseline has the higher score."""
    detectable: float | None
    """The smallest true difference that this comparison would have found with a power of 80 %."""
    evidence: Evidence | None = None
    """None where ``ci95`` is. Of right-or-wrong scores it is the adjusted one, which is never without spread."""
    spread: Spread | None = None
    groups: int = 0
    """Independent units: clusters, or samples where there are none."""
    design_effect: float | None = None
    """How many times the variance is what it would be, were the samples of a cluster independent."""


def ratio_evidence(baseline: float, candidate: float, spread: Spread, df: float, ratio: float) -> Evidence:
    """Of ``candidate - ratio · baseline``, whose sign says on which side of ``ratio`` the true ratio is."""
    variance = spread.candidate + ratio**2 * spread.baseline - 2 * ratio * spread.covariance
    return Evidence(candidate - ratio * baseline, sqrt(max(0.0, variance)), df)


def combined(parts: Sequence[Evidence], weights: Sequence[float]) -> Evidence:
    """Of the weighted sum of independent differences; degrees of freedom by Welch and Satterthwaite."""
    variances = [(weight * part.stderr) ** 2 for part, weight in zip(parts, weights, strict=True)]
    below = fsum(variance**2 / part.df for variance, part in zip(variances, parts, strict=True))
    estimate = fsum(weight * part.estimate for part, weight in zip(parts, weights, strict=True))
    return Evidence(estimate, sqrt(fsum(variances)), fsum(variances) ** 2 / below if below else inf)


def paired(
    baseline: Sequence[float] | Floats,
    candidate: Sequence[float] | Floats,
    *,
    clusters: Sequence[int] | Integers | None = None,
    strata: Sequence[int] | Integers | None = None,
) -> Paired:
    """Compares score by score; raises ValueError where there is nothing to compare or the lengths differ.

    ``clusters`` names for each pair the group (passage, dialogue) that it shares its luck with. ``strata`` names the
    subset of each pair, where the mean over subsets is compared, and not the mean over samples.
    """
    before, after = np.asarray(baseline, dtype=np.float64), np.asarray(candidate, dtype=np.float64)
    if not len(before) or len(before) != len(after):
        raise ValueError(f"pairs are needed, not {len(before)} against {len(after)} scores")
    change = after - before
    weights = np.full(len(change), 1 / len(change)) if strata is None else _macro_weights(strata)
    unit = np.arange(len(change)) if clusters is None else _numbered(clusters)
    stratum = np.zeros(len(change), dtype=np.int64) if strata is None else _numbered(strata)
    two_by_two = clusters is None and strata is None and _is_binary(before) and _is_binary(after)
    gained, lost = int((change > 0).sum()), int((change < 0).sum())
    if two_by_two:
        evidence: Evidence | None = _adjusted(len(change), gained, lost)
        ci95: tuple[float, float] | None = bonett_price(len(change), gained, lost)
        p_value = mcnemar_exact(gained, lost)
    else:
        evidence = _student(change, weights, unit, stratum)
        ci95 = evidence.interval() if evidence else None
        p_value = sign_flip(_sums(change * weights, unit))
    return Paired(
        n=len(change),
        baseline=fsum((before * weights).tolist()),
        candidate=fsum((after * weights).tolist()),
        difference=(gained - lost) / len(change) if two_by_two else fsum((change * weights).tolist()),
        ci95=ci95,
        p_value=p_value,
        test="mcnemar-exact" if two_by_two else "sign-flip",
        gained=gained,
        lost=lost,
        detectable=(Z975 + Z80) * evidence.stderr if evidence and evidence.stderr else None,
        evidence=evidence,
        spread=_spread(before, after, weights, unit, stratum),
        groups=int(unit.max()) + 1,
        design_effect=None if clusters is None else _design_effect(change, weights, unit, stratum),
    )


def bonett_price(n: int, gained: int, lost: int) -> tuple[float, float]:
    """95 % interval of the difference of two paired proportions, from the discordant counts."""
    low, high = _adjusted(n, gained, lost).interval()
    return max(-1.0, low), min(1.0, high)


def mcnemar_exact(gained: int, lost: int) -> float:
    """Two-sided p of the discordant counts under "either way is as likely"; computed in logarithms, so never 0/0."""
    n, k = gained + lost, min(gained, lost)
    if not n:
        return 1.0
    whole = lgamma(n + 1) - n * log(2)
    largest = whole - lgamma(k + 1) - lgamma(n - k + 1)
    return min(1.0, 2 * exp(largest) * fsum(_falling_terms(n, k)))


def _falling_terms(n: int, k: int) -> Iterator[float]:
    """The binomial weights of k, k-1, … against that of k, until they add nothing."""
    term = 1.0
    for i in range(k, -1, -1):
        yield term
        term *= i / (n - i + 1)
        if term < exp(-_NEGLIGIBLE):
            return


def _adjusted(n: int, gained: int, lost: int) -> Evidence:
    """Bonett and Price: one pair more of each kind of change."""
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    return Evidence(up - down, sqrt((up + down - (up - down) ** 2) / (n + 2)))


def _student(change: Floats, weights: Floats, unit: Integers, stratum: Integers) -> Evidence | None:
    parts = list(_variances(change, change, weights, unit, stratum))
    if not parts:
        return None
    total = fsum(variance for variance, _ in parts)
    below = fsum(variance**2 / df for variance, df in parts)
    df = total**2 / below if below else float(sum(df for _, df in parts))
    return Evidence(fsum((change * weights).tolist()), sqrt(total), df)


def _spread(before: Floats, after: Floats, weights: Floats, unit: Integers, stratum: Integers) -> Spread | None:
    def variance(one: Floats, other: Floats) -> float | None:
        parts = list(_variances(one, other, weights, unit, stratum))
        return fsum(part for part, _ in parts) if parts else None

    own, new, shared = variance(before, before), variance(after, after), variance(before, after)
    return None if own is None or new is None or shared is None else Spread(own, new, shared)


def _variances(
    one: Floats, other: Floats, weights: Floats, unit: Integers, stratum: Integers
) -> Iterator[tuple[float, int]]:
    """Per stratum its share in the (co)variance of the weighted sums, and its degrees of freedom.

    That of clusters: ``G/(G-1) · Σ e_g f_g`` with ``e_g``, ``f_g`` a cluster's summed, weighted deviations. Nothing at
    all where a stratum has one cluster only, whose spread nobody knows.
    """
    found: list[tuple[float, int]] = []
    for at in range(int(stratum.max()) + 1):
        inside = stratum == at
        w, units = weights[inside], _numbered(unit[inside])
        groups = int(units.max()) + 1
        if groups < 2:
            return
        e, f = (_sums((values[inside] - _mean(values[inside], w)) * w, units) for values in (one, other))
        product = float(e @ f)
        size = float(_sums(abs(one[inside]) * w, units) @ _sums(abs(other[inside]) * w, units))
        found.append((0.0 if abs(product) <= ROUNDING * size else groups / (groups - 1) * product, groups - 1))
    yield from found


def _design_effect(change: Floats, weights: Floats, unit: Integers, stratum: Integers) -> float | None:
    clustered, simple = (
        fsum(variance for variance, _ in _variances(change, change, weights, units, stratum))
        for units in (unit, np.arange(len(change)))
    )
    return clustered / simple if simple else None


def _macro_weights(strata: Sequence[int] | Integers) -> Floats:
    """Every stratum counts the same."""
    numbered = _numbered(strata)
    sizes = np.bincount(numbered)
    weights: Floats = 1 / (len(sizes) * sizes[numbered])
    return weights


def _numbered(names: Sequence[int] | Integers) -> Integers:
    """The names as 0, 1, 2, …"""
    return np.unique(np.asarray(names, dtype=np.int64), return_inverse=True)[1].reshape(-1).astype(np.int64)


def _sums(values: Floats, unit: Integers) -> Floats:
    sums: Floats = np.bincount(unit, weights=values).astype(np.float64)
    return sums


def _mean(values: Floats, weights: Floats) -> float:
    return float((values * weights).sum() / weights.sum())


def _is_binary(scores: Floats) -> bool:
    return bool(((scores == 0) | (scores == 1)).all())
