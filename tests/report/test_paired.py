from __future__ import annotations

from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.report.paired import bonett_price, mcnemar_exact, paired, sign_flip


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
