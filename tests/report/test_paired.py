from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.report.paired import Evidence, bonett_price, combined, mcnemar_exact, paired, ratio_evidence, sign_flip


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_tail(gained: int, lost: int) -> None:
    n, k = gained + lost, min(gained, lost)
    tail = sum(comb(n, i) for i in range(k + 1)) / 2**n
    assert mcnemar_exact(gained, lost) == pytest.approx(min(1.0, 2 * tail), rel=1e-9)


def test_mcnemar_of_many_flips_does_not_underflow() -> None:
    assert mcnemar_exact(38_415, 42_764) == pytest.approx(1.3265e-52, rel=1e-3)


def test_bonett_price_is_the_published_formula() -> None:
    # p12 = (30+1)/102, p21 = (10+1)/102; 20/102 ± 1.96·sqrt((42/102 − (20/102)²)/102)
    assert bonett_price(100, 30, 10) == pytest.approx((0.0775050, 0.3146519), abs=1e-6)


def test_an_interval_of_no_change_holds_zero_and_is_not_empty() -> None:
    low, high = bonett_price(50, 0, 0)
    assert low < 0 < high


@given(st.lists(st.floats(-5, 5).map(lambda x: round(x, 2)), min_size=1, max_size=8))
def test_sign_flip_agrees_with_all_signs(differences: list[float]) -> None:
    total = abs(sum(differences))
    every = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    exact = sum(value >= total - 1e-9 for value in every) / len(every)
    assert sign_flip(differences) == pytest.approx(exact, abs=0.03)


def test_sign_flip_of_many_samples_stays_small() -> None:
    differences = [0.1, -0.1] * 50_000
    assert sign_flip(differences, flips=200) == pytest.approx(1.0)


def test_a_difference_of_right_or_wrong() -> None:
    found = paired([0] * 50 + [1] * 50, [1] * 60 + [0] * 40)
    assert (found.n, found.gained, found.lost, found.test) == (100, 50, 40, "mcnemar-exact")
    assert found.difference == pytest.approx(0.1)


def test_a_difference_of_ratings() -> None:
    found = paired([3.0, 4.0, 2.5, 5.0], [3.5, 4.5, 3.0, 5.5])
    assert found.test == "sign-flip"
    assert found.difference == pytest.approx(0.5)
    assert found.ci95 == pytest.approx((0.5, 0.5))


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 against 0"):
        paired([], [])


def test_right_everywhere_still_has_an_interval_and_a_limit_of_what_was_seen() -> None:
    found = paired([1.0] * 30, [1.0] * 30)
    assert found.difference == 0 and found.p_value == 1.0
    assert found.ci95 == pytest.approx((-0.08662, 0.08662), abs=1e-4)
    assert found.detectable is not None and found.detectable > 0.1


def test_a_judge_score_that_fell_on_every_item_is_a_difference() -> None:
    found = paired([0.9] * 200, [0.6] * 200)
    assert found.p_value < 0.001
    assert found.ci95 == pytest.approx((-0.3, -0.3))
    assert (found.gained, found.lost) == (0, 200)


def test_a_single_pair_of_ratings_has_no_interval() -> None:
    found = paired([3.0], [2.0])
    assert (found.ci95, found.evidence, found.detectable, found.p_value) == (None, None, None, 1.0)


def test_clusters_of_equal_answers_count_once() -> None:
    alone = paired([0.5, 0.2, 0.9, 0.4], [0.7, 0.1, 0.8, 0.9])
    in_threes = paired(
        [v for v in (0.5, 0.2, 0.9, 0.4) for _ in range(3)],
        [v for v in (0.7, 0.1, 0.8, 0.9) for _ in range(3)],
        clusters=[at for at in range(4) for _ in range(3)],
    )
    assert in_threes.n == 12 and in_threes.groups == 4
    assert in_threes.difference == pytest.approx(alone.difference)
    assert in_threes.ci95 == pytest.approx(alone.ci95)
    assert in_threes.p_value == pytest.approx(alone.p_value)
    assert in_threes.design_effect == pytest.approx(11 / 3)  # 3 times, and 11 degrees of freedom instead of 3


def test_one_cluster_has_a_difference_and_no_interval() -> None:
    found = paired([0.0, 1.0], [1.0, 1.0], clusters=[7, 7])
    assert (found.difference, found.ci95, found.p_value) == (0.5, None, 1.0)


def test_strata_count_the_same_whatever_their_size() -> None:
    found = paired([0.0] * 10 + [1.0] * 90, [1.0] * 10 + [1.0] * 89 + [0.0], strata=[0] * 10 + [1] * 90)
    assert found.difference == pytest.approx((1 - 1 / 90) / 2)
    assert found.test == "sign-flip"


def test_the_variance_of_strata_is_the_weighted_sum() -> None:
    before, after, strata = [0, 0, 1, 1, 0, 1, 1, 1.0], [1, 0, 1, 0, 1, 1, 0, 1.0], [0, 0, 0, 0, 1, 1, 1, 1]
    found = paired(before, after, strata=strata)
    halves = [paired([b + 2 for b in before[s]], [a + 2 for a in after[s]]) for s in (slice(0, 4), slice(4, 8))]
    assert found.evidence is not None
    expected = sum(half.evidence.stderr**2 for half in halves if half.evidence) / 4
    assert found.evidence.stderr**2 == pytest.approx(expected)


def test_few_differences_are_permuted_exactly() -> None:
    assert sign_flip([1.0] * 5) == 2 / 32
    assert sign_flip([3.0, 1.0, -1.0]) == 1.0 - 2 / 8


def test_many_different_values_agree_with_draws() -> None:
    values = [((at * 7919) % 10007) / 10007 - 0.49 for at in range(3000)]
    drawn = sign_flip(values)
    many = sign_flip([value + 1e-9 * at for at, value in enumerate(values * 10)])
    assert 0 < many < drawn < 1


def test_one_sided_evidence_turns_at_the_bound() -> None:
    evidence = Evidence(-0.02, 0.01)
    assert evidence.p_below(-0.01) == pytest.approx(0.158655, abs=1e-6)
    assert evidence.p_above(-0.03) == pytest.approx(0.158655, abs=1e-6)
    assert evidence.p_below(-0.02) == evidence.p_above(-0.02) == 0.5


def test_evidence_without_spread_proves_what_it_shows_and_nothing_at_the_bound() -> None:
    evidence = Evidence(-0.3, 0.0, 199)
    assert (evidence.p_below(-0.2), evidence.p_below(-0.3), evidence.p_above(-0.4)) == (0.0, 1.0, 0.0)


def test_a_ratio_is_tested_at_the_bound_itself() -> None:
    found = paired([10.0, 12.0, 11.0, 13.0], [10.2, 12.2, 11.3, 13.1])
    assert found.spread is not None and found.evidence is not None
    at = ratio_evidence(found.baseline, found.candidate, found.spread, found.evidence.df, 1.02)
    direct = paired([1.02 * v for v in (10.0, 12.0, 11.0, 13.0)], [10.2, 12.2, 11.3, 13.1]).evidence
    assert direct is not None
    assert (at.estimate, at.stderr) == pytest.approx((direct.estimate, direct.stderr))


def test_the_mean_of_independent_differences() -> None:
    whole = combined([Evidence(0.1, 0.03), Evidence(-0.1, 0.04)], [0.5, 0.5])
    assert (whole.estimate, whole.stderr, whole.df) == (0.0, pytest.approx(0.025), float("inf"))
    few = combined([Evidence(0.1, 0.03, 9), Evidence(-0.1, 0.03, 9)], [0.5, 0.5])
    assert few.df == pytest.approx(18)


@pytest.mark.parametrize(("n", "churn"), [(30, 0.1), (30, 0.3), (164, 0.05), (1319, 0.05)])
def test_the_interval_holds_the_truth_as_often_as_it_says(n: int, churn: float) -> None:
    draw = np.random.default_rng(n)
    flips = draw.multinomial(n, [churn / 2, churn / 2, 1 - churn], size=4000)
    held = [low <= 0 <= high for low, high in (bonett_price(n, int(up), int(down)) for up, down, _ in flips)]
    assert 0.94 <= sum(held) / len(held) <= 0.998
