"""Tails and quantiles of the normal and of Student's distribution, to eleven digits, by the standard library alone."""

from __future__ import annotations

from math import erfc, exp, isinf, lgamma, log, log1p, pi, sqrt
from statistics import NormalDist

_TINY = 1e-300
_EPSILON = 1e-16
_TERMS = 10_000
NEARLY_NORMAL_DF = 1e7
"""With more degrees of freedom Student's distribution is the normal one, to the last digits of a double."""


def normal_tail(z: float) -> float:
    """P(Z > z)."""
    return 0.5 * erfc(z / sqrt(2))


def normal_quantile(p: float) -> float:
    """The z with P(Z <= z) = p."""
    return NormalDist().inv_cdf(p)


def t_tail(t: float, df: float) -> float:
    """P(T > t) with ``df`` degrees of freedom, which may be fractional or infinite."""
    if df > NEARLY_NORMAL_DF:
        return normal_tail(t)
    half = 0.5 * _both_tails(abs(t), df)
    return half if t >= 0 else 1 - half


def t_quantile(p: float, df: float) -> float:
    """The t with P(T <= t) = p, for 0 < p < 1."""
    if df > NEARLY_NORMAL_DF:
        return normal_quantile(p)
    if p < 0.5:
        return -t_quantile(1 - p, df)
    low, high = 0.0, 2.0
    while t_tail(high, df) > 1 - p:
        low, high = high, 2 * high
    while high - low > 4e-16 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if t_tail(middle, df) > 1 - p else (low, middle)
    return (low + high) / 2


def _both_tails(t: float, df: float) -> float:
    """The incomplete beta function I_x(df/2, 1/2) at x = df / (df + t²)."""
    a, b, ratio = df / 2, 0.5, t * t / df
    if ratio == 0 or isinf(ratio):
        return 1.0 if ratio == 0 else 0.0
    x, rest = 1 / (1 + ratio), ratio / (1 + ratio)
    front = exp(_log_gamma_ratio(a) - log(pi) / 2 - a * log1p(ratio) + b * log(rest))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(rest, b, a) / b


def _log_gamma_ratio(a: float) -> float:
    """log Γ(a + 1/2) - log Γ(a), whose digits a difference of two large logarithms would lose."""
    if a < 50:
        return lgamma(a + 0.5) - lgamma(a)
    return log(a) / 2 - 1 / (8 * a) + 1 / (192 * a**3) - 1 / (640 * a**5)


def _fraction(x: float, a: float, b: float) -> float:
    """Its continued fraction, by Lentz's method (Numerical Recipes, section 6.4)."""
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away(1 + term * d)
            c = _away(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < _EPSILON * 4:
            break
    return value


def _away(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
