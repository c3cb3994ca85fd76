"""Before any run: what can a policy decide with these datasets, and how many samples would it need?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt
from typing import Literal

from pydantic import BaseModel, ConfigDict

from bridge.errors import SpecError
from bridge.gate.judge import Case, compared_cases, relative_loss
from bridge.gate.policy import Tier
from bridge.gate.policy_file import PolicySource
from bridge.gate.rule import Claim, Verdict, decide
from bridge.gate.wanted import Wanted, margin, wanted
from bridge.gate.why import samples_needed
from bridge.report.compare import evidence_of
from bridge.report.compare_sides import Selected
from bridge.report.overview import is_overall
from bridge.report.paired import Evidence
from bridge.report.schema import ResultRow

DEFAULT_CHURN = 0.1
"""Share of answers that flip between two models of the same strength, where no earlier comparison is given."""
DRAWS = 4000


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedDataset(_Part):
    dataset: str
    tier: Tier
    n: int
    """Pairs that there would be."""
    stderr: float
    """Of the difference."""
    margin: float
    n_needed: int
    """Pairs that show an unchanged model to lose less than the margin, four times out of five."""


class Chances(_Part):
    """How often the gate would say what."""

    when: str
    go: float
    no_go: float
    inconclusive: float


class GatePlan(_Part):
    schema_version: Literal["1.0"] = "1.0"
    churn: float | None
    """Assumed; null where a comparison was given."""
    suite_stderr: float | None
    suite_max_drop: float
    suite_times_needed: float | None
    """How many times as many samples the suite needs for an unchanged model to pass four times out of five."""
    datasets: tuple[PlannedDataset, ...]
    not_planned: tuple[str, ...]
    """Datasets about which nothing can be said beforehand, and why."""
    chances: tuple[Chances, ...]


@dataclass(frozen=True)
class _Expected:
    wanted: Wanted
    n: int
    stderr: float
    margin: float
    in_suite: bool


def plan(
    source: PolicySource, baseline: Selected, candidate: Selected | None, churn: float | None, today: date
) -> GatePlan:
    """``candidate``: an earlier candidate, whose differences from the baseline are as spread as those to come."""
    if candidate is None:
        assumed = DEFAULT_CHURN if churn is None else churn
        expected, missing = _assumed(source, baseline, assumed, today)
    else:
        assumed = None
        expected, missing = _seen(source, baseline, candidate, today)
    if not expected:
        raise SpecError([source.problem(("datasets",), "nothing can be planned", "; ".join(missing))])
    inside = [one for one in expected if one.in_suite and one.wanted.decides]
    suite_stderr = sqrt(sum(one.stderr**2 for one in inside)) / len(inside) if inside else None
    limit, alpha = source.policy.suite.max_drop, source.policy.alpha
    return GatePlan(
        churn=assumed,
        suite_stderr=suite_stderr,
        suite_max_drop=limit,
        suite_times_needed=samples_needed(suite_stderr, 1_000_000, limit, alpha) / 1e6 if suite_stderr else None,
        datasets=tuple(_planned(one, alpha) for one in expected),
        not_planned=tuple(missing),
        chances=tuple(_chances(source, expected)),
    )


def _assumed(source: PolicySource, baseline: Selected, churn: float, today: date) -> tuple[list[_Expected], list[str]]:
    expected, missing = [], []
    for one in wanted(source, baseline.datasets(), (), today):
        row = next((row for row in baseline.rows() if _is_wanted(row, one)), None)
        if row is None or not row.n:
            missing.append(f"{one.dataset}: the baseline has no value")
            continue
        allowed = margin(one, row)
        if row.unit != "fraction" or allowed is None or one.rule.relative:
            missing.append(f"{one.dataset}: for {row.metric} give an earlier candidate")
            continue
        repeats = max(1, int(row.settings.get("repeats") or 1))
        # Flips of single answers average out over repeats, so that every answer counts.
        expected.append(_Expected(one, row.n // repeats, sqrt(churn / row.n), allowed, row.higher_is_better))
    return expected, missing


def _seen(
    source: PolicySource, baseline: Selected, candidate: Selected, today: date
) -> tuple[list[_Expected], list[str]]:
    expected, missing = [], []
    for case in compared_cases(source, baseline, candidate, today)[0]:
        found = _from_comparison(case)
        if found is None:
            missing.append(f"{case.name}: the two runs cannot be compared on it")
        else:
            expected.append(found)
    return expected, missing


def _from_comparison(case: Case) -> _Expected | None:
    one, row = case.comparison, case.before
    evidence = evidence_of(one) if one else None
    allowed = margin(case.wanted, row) if row else None
    if one is None or evidence is None or allowed is None or not evidence.stderr:
        return None
    in_suite = one.unit == "fraction" and one.higher_is_better
    if case.wanted.rule.relative:
        if one.variances is None or not one.baseline:
            return None
        loss = relative_loss(one, allowed)
        return _Expected(case.wanted, one.n, loss.stderr, allowed * abs(one.baseline), in_suite)
    return _Expected(case.wanted, one.n, evidence.stderr, allowed, in_suite)


def _is_wanted(row: ResultRow, one: Wanted) -> bool:
    if row.dataset != one.dataset or not is_overall(row):
        return False
    return row.primary if one.rule.metric is None else row.metric == one.rule.metric


def _planned(one: _Expected, alpha: float) -> PlannedDataset:
    return PlannedDataset(
        dataset=one.wanted.dataset,
        tier=one.wanted.rule.tier or "supporting",
        n=one.n,
        stderr=one.stderr,
        margin=one.margin,
        n_needed=samples_needed(one.stderr, one.n, one.margin, alpha),
    )


def _chances(source: PolicySource, expected: Sequence[_Expected]) -> Iterator[Chances]:
    limit = source.policy.suite.max_drop
    inside = [1.0 if one.in_suite else 0.0 for one in expected]
    first = [2 * expected[0].margin] + [0.0] * (len(expected) - 1)
    yield _chance(source, expected, "nothing has changed", [0.0] * len(expected))
    yield _chance(source, expected, f"every dataset fell by {100 * limit:g} pp", [limit * one for one in inside])
    yield _chance(source, expected, f"every dataset fell by {200 * limit:g} pp", [2 * limit * one for one in inside])
    yield _chance(source, expected, f"{expected[0].wanted.dataset} alone fell by twice its margin", first)


def _chance(source: PolicySource, expected: Sequence[_Expected], when: str, drops: Sequence[float]) -> Chances:
    import numpy as np

    draw = np.random.default_rng(0)
    noise = draw.standard_normal((DRAWS, len(expected)))
    counts: Counter[Verdict] = Counter()
    for row in noise.tolist():
        claims = [_claim(one, drop + one.stderr * z) for one, drop, z in zip(expected, drops, row, strict=True)]
        counts[decide(claims, source.policy.suite.max_drop, source.policy.alpha).verdict] += 1
    return Chances(
        when=when,
        go=counts["GO"] / DRAWS,
        no_go=counts["NO-GO"] / DRAWS,
        inconclusive=counts["INCONCLUSIVE"] / DRAWS,
    )


def _claim(one: _Expected, loss: float) -> Claim:
    tier = (one.wanted.rule.tier or "supporting") if one.wanted.decides else "advisory"
    return Claim(tier, Evidence(loss, one.stderr), one.margin, 1.0 if one.in_suite else 0.0)
