from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.report.distributions import normal_quantile, normal_tail, t_quantile, t_tail
from bridge.report.multiple import benjamini_hochberg, holm


@pytest.mark.parametrize(
    ("df", "expected"),
    [(1, 12.706204736174694), (2, 4.302652729749464), (10, 2.2281388519862735), (inf, 1.959963984540054)],
)
def test_quantiles_of_the_tables(df: float, expected: float) -> None:
    assert t_quantile(0.975, df) == pytest.approx(expected, rel=1e-12)
    assert t_quantile(0.025, df) == pytest.approx(-expected, rel=1e-12)


@given(st.floats(0.0001, 0.9999), st.floats(1, 1e8))
def test_the_quantile_undoes_the_tail(p: float, df: float) -> None:
    assert 1 - t_tail(t_quantile(p, df), df) == pytest.approx(p, rel=1e-8)


@given(st.floats(-1e12, 1e12), st.floats(1, 1e9))
def test_tails_are_probabilities_and_add_up(t: float, df: float) -> None:
    assert 0 <= t_tail(t, df) <= 1
    assert t_tail(t, df) + t_tail(-t, df) == pytest.approx(1)


def test_the_normal_one() -> None:
    assert normal_tail(1.959963984540054) == pytest.approx(0.025)
    assert normal_quantile(0.975) == pytest.approx(1.959963984540054)


def test_holm_and_benjamini_hochberg_by_hand() -> None:
    # Holm: 4·0.01, 3·0.02, 2·0.04, 1·0.05 → 0.08; BH: 4/1, 4/2, 4/3, 4/4 times, falling from the end
    assert holm([0.04, 0.01, 0.05, 0.02]) == pytest.approx([0.08, 0.04, 0.08, 0.06])
    assert benjamini_hochberg([0.04, 0.01, 0.05, 0.02]) == pytest.approx([0.05, 0.04, 0.05, 0.04])
    assert holm([]) == benjamini_hochberg([]) == []
    assert holm([0.7, 0.9]) == [1.0, 1.0]
