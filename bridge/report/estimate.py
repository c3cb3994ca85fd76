"""A mean and how sure one can be of it.  Standard library only, constant memory, and exact where arithmetic allows.

- The mean is the correctly rounded quotient of the exact sum, whatever the order of the values.
- Values that belong together (the repeats of one sample) form a cluster; the standard error is that of clusters,
  ``sqrt(G/(G-1) * sum(e_g**2)) / n`` with ``e_g`` a cluster's summed deviations. Clusters of one give the usual
  ``sd / sqrt(n)`` with ``n - 1`` degrees of freedom.
- The 95 % interval is Wilson's where every value is 0 or 1, at the sample size that the standard error amounts to
  (``n`` without repeats, never more than ``n``); it is never empty, also at 0 % and 100 %. Other values get
  Student's t over the clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, sqrt

Z975 = 1.959963984540054
_T975 = [12.7062047362, 4.3026527297, 3.1824463053, 2.7764451052, 2.5705818366]
_T975 += [2.4469118511, 2.3646242516, 2.3060041352, 2.2621571628, 2.2281388520]
_CHUNK = 1024
ROUNDING = 1e-12
"""A sum of squared deviations below this share of the squares that it comes from is no spread."""
HUGE = 1e100
"""No score is larger; beyond it squares overflow."""


@dataclass(frozen=True)
class Estimate:
    """A mean over ``n`` values; what cannot be said is None (all of it for n = 0, the standard error for n = 1)."""

    n: int
    value: float | None
    stderr: float | None
    ci95: tuple[float, float] | None
    groups: int = 0
    """Independent clusters among the values; ``n`` where nothing was repeated."""
    binary: bool = False
    """Every value was 0 or 1."""


NOTHING = Estimate(0, None, None, None)


def wilson(p: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % score interval of the proportion ``p`` seen in ``n`` trials; ``n`` may be fractional."""
    z2 = Z975 * Z975
    centre = p + z2 / (2 * n)
    half = Z975 * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    scale = 1 + z2 / n
    return max(0.0, min(p, (centre - half) / scale)), min(1.0, max(p, (centre + half) / scale))


def t975(df: float) -> float:
    """The 97.5 % quantile of Student's t: tabulated up to ten, then by expansion around the normal one (to 1e-5)."""
    if df < 10.5:
        return _T975[max(1, int(df)) - 1]
    z = Z975
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    g4 = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160
    return z + g1 / df + g2 / df**2 + g3 / df**3 + g4 / df**4


class ExactSum:
    """A running sum without rounding: a short list of floats whose exact sum is that of all that was added."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[float] = []

    def add(self, value: float) -> None:
        self._parts.append(value)
        if len(self._parts) >= _CHUNK:
            self._compress()

    def merge(self, other: ExactSum) -> None:
        self._parts += other._parts
        self._compress()

    @property
    def value(self) -> float:
        return fsum(self._parts)

    def _compress(self) -> None:
        """``fsum`` rounds once, so what it leaves over is exact too: take parts off until nothing is left."""
        rest, parts = self._parts, []
        while (part := fsum(rest)) != 0.0:
            parts.append(part)
            rest.append(-part)
        self._parts = parts


class Tally:
    """Accumulates values into an ``Estimate``.

    Values with the same ``cluster`` form one cluster where they come one after the other: a cluster that comes back
    later counts as a new one. ``None`` stands for a value on its own.
    """

    __slots__ = ("_binary", "_cluster", "_d", "_d2", "_dm", "_groups", "_m", "_m2", "_n", "_shift", "_sum")

    def __init__(self) -> None:
        self._n = 0
        self._sum = ExactSum()
        self._binary = True
        # Deviations are taken from the first value, so that a small spread around a large mean keeps its digits.
        self._shift = 0.0
        self._cluster: str | None = None
        self._d = 0.0  # the open cluster: summed deviations and size
        self._m = 0
        self._groups = 0  # closed clusters: number, and sums of d², d·m, m²
        self._d2 = 0.0
        self._dm = 0.0
        self._m2 = 0

    def add(self, value: float, cluster: str | None = None) -> None:
        """Raises ValueError for what no mean survives: NaN, infinity and the like."""
        if value != 0 and value != 1:
            if not -HUGE < value < HUGE:
                raise ValueError(f"a score is to be a finite number, not {value}")
            self._binary = False
        if not self._n:
            self._shift = value
        elif cluster is None or cluster != self._cluster:
            self._close()
        self._cluster = cluster
        self._n += 1
        self._d += value - self._shift
        self._m += 1
        self._sum.add(value)

    def merge(self, other: Tally) -> None:
        """Takes over all that ``other`` holds; its clusters stay apart from those here."""
        if not other._n:
            return
        self._close()
        other._close()
        if not self._n:
            self._shift = other._shift
        move = other._shift - self._shift
        self._d2 += other._d2 + 2 * move * other._dm + move * move * other._m2
        self._dm += other._dm + move * other._m2
        self._m2 += other._m2
        self._groups += other._groups
        self._n += other._n
        self._binary &= other._binary
        self._sum.merge(other._sum)

    def estimate(self) -> Estimate:
        self._close()
        if not self._n:
            return NOTHING
        mean = self._sum.value / self._n
        stderr = self._stderr(mean)
        ci95 = _interval(mean, stderr, n=self._n, groups=self._groups, df=self._groups - 1, binary=self._binary)
        return Estimate(self._n, mean, stderr, ci95, self._groups, self._binary)

    def _stderr(self, mean: float) -> float | None:
        if self._groups < 2:
            return None
        off = mean - self._shift
        size = self._d2 + off * off * self._m2
        squares = size - 2 * off * self._dm
        if squares <= ROUNDING * size:
            return 0.0
        return sqrt(self._groups / (self._groups - 1) * squares) / self._n

    def _close(self) -> None:
        if self._m:
            self._groups += 1
            self._d2 += self._d * self._d
            self._dm += self._d * self._m
            self._m2 += self._m * self._m
            self._d, self._m, self._cluster = 0.0, 0, None


def macro(parts: Sequence[Estimate]) -> Estimate:
    """The unweighted mean of the parts that have a value; ``n`` is theirs together."""
    seen = [part for part in parts if part.value is not None]
    if not seen:
        return NOTHING
    n, groups, binary = sum(e.n for e in seen), sum(e.groups for e in seen), all(e.binary for e in seen)
    mean = fsum(e.value for e in seen if e.value is not None) / len(seen)
    stderrs = [e.stderr for e in seen if e.stderr is not None]
    if len(stderrs) < len(seen):
        return Estimate(n, mean, None, None, groups, binary)
    stderr = sqrt(fsum(e * e for e in stderrs)) / len(seen)
    ci95 = _interval(mean, stderr, n=n, groups=groups, df=_satterthwaite(seen), binary=binary)
    return Estimate(n, mean, stderr, ci95, groups, binary)


def _interval(
    mean: float, stderr: float | None, *, n: int, groups: int, df: float, binary: bool
) -> tuple[float, float] | None:
    """The 95 % interval of a mean of ``n`` values in ``groups`` clusters; None where a single value is all there is."""
    if binary:
        return wilson(mean, _effective_n(mean, stderr, n, groups))
    if stderr is None:
        return None
    half = t975(df) * stderr
    return mean - half, mean + half


def _effective_n(p: float, stderr: float | None, n: int, groups: int) -> float:
    """The number of independent trials with this standard error; that of the clusters where no spread was seen."""
    if not stderr or p in (0.0, 1.0):
        return groups
    return max(1.0, min(n, p * (1 - p) / stderr**2 + 1))


def _satterthwaite(parts: Sequence[Estimate]) -> float:
    """Degrees of freedom of a sum of independent means (Welch and Satterthwaite)."""
    variances = [(part.stderr or 0.0) ** 2 for part in parts]
    below = fsum(v * v / (part.groups - 1) for v, part in zip(variances, parts, strict=True) if part.groups > 1)
    return fsum(variances) ** 2 / below if below else float(sum(part.groups - 1 for part in parts))
