"""Estimates against textbook values and naive formulas."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.report.estimate import ROUNDING, Estimate, ExactSum, Tally, macro, t975, wilson

FINITE = st.floats(-1e6, 1e6, allow_nan=False)


def tally_of(values: list[float], clusters: list[str] | None = None) -> Estimate:
    tally = Tally()
    for at, value in enumerate(values):
        tally.add(value, clusters[at] if clusters else None)
    return tally.estimate()


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [  # Newcombe 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilson_known_values(hits: int, n: int, low: float, high: float) -> None:
    assert wilson(hits / n, n) == pytest.approx((low, high), abs=6e-5)


def test_t_quantile_against_integration_of_its_density() -> None:
    for df in [1, 2, 3, 7, 10, 11, 12, 20, 50, 1000]:
        assert t_cdf(t975(df), df) == pytest.approx(0.975, abs=3e-7)


def t_cdf(t: float, df: float) -> float:
    """Simpson's rule on the density from 0 to ``t``."""
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    steps = 20_000
    width = t / steps
    total: float = sum(
        (1 if at in (0, steps) else 4 if at % 2 else 2) * (1 + (at * width) ** 2 / df) ** (-(df + 1) / 2)
        for at in range(steps + 1)
    )
    return 0.5 + scale * total * width / 3


def test_nothing_and_one_value() -> None:
    assert tally_of([]) == Estimate(0, None, None, None)
    one = tally_of([2.5])
    assert (one.n, one.value, one.stderr, one.ci95) == (1, 2.5, None, None)
    hit = tally_of([1.0])
    assert hit.stderr is None and hit.ci95 == pytest.approx((0.2065, 1.0), abs=1e-4)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e200])
def test_not_a_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Tally().add(value)


@given(st.integers(0, 300), st.integers(0, 300))
def test_proportions_are_exact(hits: int, misses: int) -> None:
    n = hits + misses
    values = [1.0] * hits + [0.0] * misses
    random.Random(n).shuffle(values)
    got = tally_of(values)
    assert got.n == n
    if n:
        assert got.value == hits / n
        assert got.ci95 is not None and 0 <= got.ci95[0] <= hits / n <= got.ci95[1] <= 1
        assert got.ci95 == pytest.approx(wilson(hits / n, n))
    if n > 1:
        assert got.stderr == pytest.approx(statistics.stdev(values) / math.sqrt(n), abs=1e-12)


@given(st.lists(FINITE, min_size=2, max_size=200))
def test_mean_is_correctly_rounded_and_the_error_the_usual_one(values: list[float]) -> None:
    got = tally_of(values)
    assert got.value == math.fsum(values) / len(values)
    expected = statistics.stdev(values) / math.sqrt(len(values))
    assert got.stderr == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_small_spread_around_a_large_mean() -> None:
    values = [1e9 + at % 7 for at in range(1000)]
    assert tally_of(values).stderr == pytest.approx(statistics.stdev(values) / math.sqrt(1000), rel=1e-9)


@given(st.lists(st.tuples(st.integers(0, 12), st.floats(0, 1)), min_size=2, max_size=120))
def test_clusters_against_the_formula(pairs: list[tuple[int, float]]) -> None:
    pairs.sort(key=lambda pair: pair[0])
    values = [value for _, value in pairs]
    got = tally_of(values, [str(cluster) for cluster, _ in pairs])
    mean = math.fsum(values) / len(values)
    sums: dict[int, float] = {}
    for cluster, value in pairs:
        sums[cluster] = sums.get(cluster, 0.0) + value - mean
    groups = len(sums)
    assert got.groups == groups
    if groups < 2:
        assert got.stderr is None
    else:
        expected = math.sqrt(groups / (groups - 1) * sum(s * s for s in sums.values())) / len(values)
        assert got.stderr == pytest.approx(expected, abs=math.sqrt(ROUNDING))


def test_repeats_that_never_differ_add_no_certainty() -> None:
    once = [1.0] * 30 + [0.0] * 20
    four_times = [value for value in once for _ in range(4)]
    repeated = tally_of(four_times, [str(at // 4) for at in range(200)])
    assert (repeated.value, repeated.n, repeated.groups) == (0.6, 200, 50)
    assert repeated.stderr == pytest.approx(tally_of(once).stderr)
    assert repeated.ci95 == pytest.approx(tally_of(once).ci95)
    all_right = tally_of([1.0] * 200, [str(at // 4) for at in range(200)])
    assert all_right.ci95 == pytest.approx(wilson(1.0, 50))


@given(st.lists(FINITE, max_size=60), st.lists(FINITE, max_size=60))
def test_merging_is_adding(left: list[float], right: list[float]) -> None:
    first, second = Tally(), Tally()
    for value in left:
        first.add(value)
    for value in right:
        second.add(value)
    first.merge(second)
    merged, whole = first.estimate(), tally_of(left + right)
    assert (merged.n, merged.value, merged.groups, merged.binary) == (whole.n, whole.value, whole.groups, whole.binary)
    if whole.stderr is not None:
        assert merged.stderr == pytest.approx(whole.stderr, rel=1e-6, abs=1e-9)


@given(st.lists(st.floats(-1e12, 1e12), max_size=50), st.randoms())
def test_exact_sum_knows_no_order(values: list[float], order: random.Random) -> None:
    many = values * 60  # past the size at which the parts are compressed
    order.shuffle(many)
    total = ExactSum()
    for value in many:
        total.add(value)
    assert total.value == math.fsum(values * 60)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng, hits, runs = random.Random(7), 0, 2000
    for _ in range(runs):
        values, clusters = [], []
        for cluster in range(40):
            skill = rng.betavariate(2, 1)
            for _ in range(4):
                values.append(float(rng.random() < skill))
                clusters.append(str(cluster))
        ci95 = tally_of(values, clusters).ci95
        assert ci95 is not None
        hits += ci95[0] <= 2 / 3 <= ci95[1]
    assert 0.93 <= hits / runs <= 0.975


def test_macro_weighs_parts_equally() -> None:
    parts = [tally_of([1.0] * 9 + [0.0]), tally_of([1.0, 0.0, 0.0, 0.0]), tally_of([])]
    got = macro(parts)
    assert got.n == 14
    assert got.value == pytest.approx((0.9 + 0.25) / 2)
    stderrs = [part.stderr or 0.0 for part in parts[:2]]
    assert got.stderr == pytest.approx(math.hypot(*stderrs) / 2)
    assert got.ci95 is not None and 0 <= got.ci95[0] < 0.575 < got.ci95[1] <= 1
    assert macro([tally_of([])]).value is None


def test_macro_of_perfect_parts_is_not_certain() -> None:
    assert macro([tally_of([1.0] * 5), tally_of([1.0] * 5)]).ci95 == pytest.approx(wilson(1.0, 10))


def test_macro_of_numbers_uses_the_degrees_of_freedom_of_both() -> None:
    left, right = tally_of([1.0, 2.0, 3.0]), tally_of([2.0, 4.0, 6.0, 8.0])
    got = macro([left, right])
    assert got.value == 3.5 and got.ci95 is not None and got.stderr is not None
    v1, v2 = 1 / 3, 20 / 3 / 4
    df = (v1 + v2) ** 2 / (v1**2 / 2 + v2**2 / 3)
    assert got.ci95[1] - 3.5 == pytest.approx(t975(df) * got.stderr)
