"""The statistics against scipy and statsmodels, to the digit."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from oracle_env import ask, oracle

from bridge.report.distributions import t_quantile, t_tail
from bridge.report.multiple import benjamini_hochberg, holm
from bridge.report.paired import mcnemar_exact, paired, sign_flip

pytestmark = pytest.mark.env


@pytest.fixture(scope="module")
def python() -> Path:
    return oracle("statistics", "scipy, statsmodels.api")


def test_mcnemar(python: Path, tmp_path: Path) -> None:
    tables = [(0, 0), (0, 1), (3, 9), (10, 10), (61, 112), (500, 431), (38_415, 42_764)]
    code = """
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar
def of(b, c):
    return [1.0, 1.0] if b + c == 0 else [
        mcnemar([[5, b], [c, 5]], exact=True).pvalue, binomtest(min(b, c), b + c, 0.5).pvalue]
print(json.dumps([of(b, c) for b, c in given]))
"""
    for (gained, lost), values in zip(tables, ask(python, code, tables, tmp_path), strict=True):
        for value in values:
            assert mcnemar_exact(gained, lost) == pytest.approx(value, rel=1e-8)


def test_student(python: Path, tmp_path: Path) -> None:
    points = [(t, df) for t in (-3.0, 0.0, 1e-6, 0.5, 2.5, 40.0) for df in (1.0, 2.5, 30.0, 1318.0, 199_999.0)]
    levels = [(p, df) for p in (0.6, 0.95, 0.975, 0.9995) for df in (1.0, 2.5, 30.0, 99.0, 101.0, 1318.0, 199_999.0)]
    code = """
from scipy.stats import t
print(json.dumps([[t.sf(*one) for one in given[0]], [t.ppf(*one) for one in given[1]]]))
"""
    tails, quantiles = ask(python, code, [points, levels], tmp_path)
    assert [t_tail(*point) for point in points] == pytest.approx(tails, rel=1e-9, abs=1e-300)
    assert [t_quantile(*level) for level in levels] == pytest.approx(quantiles, rel=1e-10)


def test_paired_t_interval_and_detectable_difference(python: Path, tmp_path: Path) -> None:
    before, after = _ratings(400)
    code = """
from scipy.stats import norm, ttest_rel
import numpy as np
found = ttest_rel(given[1], given[0]).confidence_interval(0.95)
d = np.subtract(given[1], given[0])
print(json.dumps([found.low, found.high, (norm.ppf(.975) + norm.ppf(.8)) * d.std(ddof=1) / np.sqrt(len(d))]))
"""
    low, high, detectable = ask(python, code, [before, after], tmp_path)
    ours = paired(before, after)
    assert ours.ci95 == pytest.approx((low, high), rel=1e-10)
    assert ours.detectable == pytest.approx(detectable, rel=1e-10)


def test_permutation(python: Path, tmp_path: Path) -> None:
    few, many = _ratings(12), _ratings(300)
    code = """
import numpy as np
from scipy.stats import permutation_test
def p(before, after, **how):
    d = np.subtract(after, before)
    return permutation_test((d,), np.sum, permutation_type="samples", vectorized=True, **how).pvalue
print(json.dumps([p(*given[0], n_resamples=np.inf), p(*given[1], n_resamples=99_999, rng=1)]))
"""
    exact, drawn = ask(python, code, [few, many], tmp_path)
    assert sign_flip([a - b for b, a in zip(*few, strict=True)]) == pytest.approx(exact, rel=1e-12)
    assert sign_flip([a - b for b, a in zip(*many, strict=True)]) == pytest.approx(drawn, abs=0.015)


def test_clustered_standard_error(python: Path, tmp_path: Path) -> None:
    before, after = _ratings(300)
    clusters = [at // 7 for at in range(300)]
    code = """
import numpy as np, statsmodels.api as sm
d = np.subtract(given[1], given[0])
fit = sm.OLS(d, np.ones(len(d))).fit(cov_type="cluster", cov_kwds={"groups": np.array(given[2])}, use_t=True)
low, high = fit.conf_int()[0]
print(json.dumps([float(fit.bse[0]), float(low), float(high)]))
"""
    stderr, low, high = ask(python, code, [before, after, clusters], tmp_path)
    ours = paired(before, after, clusters=clusters)
    assert ours.evidence is not None
    assert ours.evidence.stderr == pytest.approx(stderr, rel=1e-10)
    assert ours.ci95 == pytest.approx((low, high), rel=1e-9)


def test_corrections_for_many_tests(python: Path, tmp_path: Path) -> None:
    p_values = [0.0004, 0.03, 0.04, 0.2, 0.001, 0.9, 0.049, 0.03]
    code = """
from statsmodels.stats.multitest import multipletests
print(json.dumps([multipletests(given, method=how)[1].tolist() for how in ("holm", "fdr_bh")]))
"""
    theirs: list[Any] = ask(python, code, p_values, tmp_path)
    assert [holm(p_values), benjamini_hochberg(p_values)] == [pytest.approx(values, rel=1e-12) for values in theirs]


def _ratings(n: int) -> tuple[list[float], list[float]]:
    draw = random.Random(n)
    before = [round(draw.gauss(6, 1.5), 3) for _ in range(n)]
    return before, [round(value + draw.gauss(0.1, 0.8), 3) for value in before]
