"""How often the rule is right, over simulated suites: the promise of a gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from bridge.gate.policy import Tier
from bridge.gate.rule import Claim, decide
from bridge.report.paired import Evidence

SUITES = 1500
"""A share of 5 % is then known to ±1.1 % (two standard errors)."""


def shares(
    seed: int,
    drops: Sequence[float],
    churn: float,
    *,
    n: int = 2000,
    margin: float,
    own: float,
    tiers: Sequence[Tier] | None = None,
) -> dict[str, float]:
    """Of the verdicts over many suites of datasets that fall by ``drops``, where ``churn`` of the samples flip."""
    draw = np.random.default_rng(seed)
    verdicts: Counter[str] = Counter()
    tiers = tiers or ["supporting"] * len(drops)
    for _ in range(SUITES):
        claims = [
            Claim(tier, _loss(draw, n, drop, max(churn, drop)), own, weight=1.0)
            for drop, tier in zip(drops, tiers, strict=True)
        ]
        verdicts[decide(claims, margin, 0.05).verdict] += 1
    return {verdict: verdicts[verdict] / SUITES for verdict in ("GO", "NO-GO", "INCONCLUSIVE")}


def _loss(draw: np.random.Generator, n: int, drop: float, churn: float) -> Evidence:
    lost, gained, _ = draw.multinomial(n, [(churn + drop) / 2, (churn - drop) / 2, 1 - churn])
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    return Evidence(down - up, float(np.sqrt((up + down - (up - down) ** 2) / (n + 2))))


def test_an_unchanged_model_passes() -> None:
    assert shares(1, [0.0] * 8, 0.06, margin=0.01, own=0.03)["GO"] >= 0.95
    assert shares(2, [0.0] * 8, 0.20, margin=0.015, own=0.03)["GO"] >= 0.95


def test_a_drop_at_the_margin_hardly_ever_passes() -> None:
    found = shares(3, [0.01] * 8, 0.06, margin=0.01, own=0.03)
    assert found["GO"] <= 0.06
    assert found["NO-GO"] <= 0.07


def test_a_drop_of_twice_the_margin_is_stopped() -> None:
    assert shares(4, [0.02] * 8, 0.06, margin=0.01, own=0.03)["NO-GO"] >= 0.99


def test_a_dataset_that_collapsed_is_found_though_the_mean_is_well() -> None:
    found = shares(5, [0.0] * 7 + [0.055], 0.08, margin=0.01, own=0.03)
    assert found["NO-GO"] >= 0.85 and found["GO"] <= 0.06


@pytest.mark.parametrize("n", [30, 164, 1319])
def test_a_critical_dataset_at_its_margin_hardly_ever_passes(n: int) -> None:
    found = shares(6, [0.05], 0.12, n=n, margin=1.0, own=0.05, tiers=["critical"])
    assert found["GO"] <= 0.07, found


def test_a_small_dataset_decides_nothing_by_itself() -> None:
    found = shares(7, [0.0], 0.05, n=30, margin=0.01, own=0.03)
    assert found["INCONCLUSIVE"] >= 0.95
