"""A policy and two runs → the gate's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from bridge.errors import SpecError
from bridge.gate.performance import performance, unknown
from bridge.gate.policy_file import PolicySource
from bridge.gate.requirements import Faults, differing, faults_of
from bridge.gate.rule import Claim, Decision, Finding, Verdict, decide
from bridge.gate.schema import DatasetAnswer, GateAnswer, PolicyInfo, State, SuiteAnswer
from bridge.gate.wanted import Wanted, expired, margin, row_problems, wanted
from bridge.gate.why import reasons
from bridge.report.compare import Options, compare_sides, evidence_of
from bridge.report.compare_dataset import How
from bridge.report.compare_schema import Against, DatasetComparison
from bridge.report.compare_sides import Selected
from bridge.report.overview import is_overall
from bridge.report.paired import Evidence, Spread, ratio_evidence
from bridge.report.schema import ResultRow

EXIT_GO, EXIT_NO_GO, EXIT_INCONCLUSIVE = 0, 10, 11


@dataclass
class Case:
    """One dataset of the policy, with what the runs have about it."""

    wanted: Wanted
    before: ResultRow | None
    after: ResultRow | None
    comparison: DatasetComparison | None = None
    faults: Faults = field(default_factory=Faults)
    claim: Claim | None = None
    finding: Finding | None = None

    @property
    def name(self) -> str:
        return self.wanted.dataset


def judge(source: PolicySource, baseline: Selected, candidate: Selected, today: date) -> GateAnswer:
    """Raises SpecError for a policy that does not fit the runs."""
    cases, against = compared_cases(source, baseline, candidate, today)
    settings = differing(source.policy.require, against.differences)
    for case in cases:
        case.faults = faults_of(case.wanted, source.policy.require, (case.before, case.after), case.comparison, against)
        case.claim = _claim(case, source)
    decision = _decide(cases, source)
    numbers = performance(source, baseline, candidate)
    datasets = tuple(_dataset(case) for case in cases)
    suite = _suite(decision, cases, source)
    verdict = _verdict(decision.verdict, [*(one.state for one in datasets), *(one.state for one in numbers)], settings)
    named = {case.name for case in cases}
    return GateAnswer(
        verdict=verdict,
        exit_code=exit_code(verdict, source.policy.on_inconclusive),
        baseline=baseline.info,
        candidate=candidate.info,
        policy=_info(source),
        suite=suite,
        datasets=datasets,
        performance=numbers,
        differences=settings,
        not_in_policy=tuple(name for name in candidate.datasets() if name not in named),
        expired_waivers=tuple(f"{one.dataset} (until {one.until})" for one in expired(source.policy, today)),
        why=tuple(
            reasons(suite, [*zip(datasets, (case.comparison for case in cases), strict=True)], numbers, settings)
        ),
    )


def compared_cases(
    source: PolicySource, baseline: Selected, candidate: Selected, today: date
) -> tuple[list[Case], Against]:
    """The policy's datasets, each compared. Raises SpecError where the policy does not fit the runs."""
    chosen = wanted(source, baseline.datasets(), candidate.datasets(), today)
    cases = [
        Case(one, _row(baseline, one.dataset, one.rule.metric), _row(candidate, one.dataset, one.rule.metric))
        for one in chosen
    ]
    _refuse_misfits(source, cases, baseline, candidate)
    options = Options(
        how=How(flips=0, any_prompt="prompt" not in source.policy.require.same),
        datasets={case.name: case.name for case in cases},
        metrics={case.name: case.wanted.rule.metric for case in cases if case.wanted.rule.metric},
        clusters={case.name: case.wanted.rule.cluster for case in cases if case.wanted.rule.cluster},
    )
    (against,) = compare_sides(baseline, [candidate], options).against
    found = {one.dataset: one for one in against.datasets}
    for case in cases:
        case.comparison = found.get(case.name)
    return cases, against


def exit_code(verdict: Verdict, on_inconclusive: str) -> int:
    if verdict == "INCONCLUSIVE":
        return EXIT_INCONCLUSIVE if on_inconclusive == "fail" else EXIT_GO
    return EXIT_GO if verdict == "GO" else EXIT_NO_GO


def _row(side: Selected, dataset: str, metric: str | None) -> ResultRow | None:
    rows = [row for row in side.rows() if row.dataset == dataset and is_overall(row)]
    return next((row for row in rows if (row.primary if metric is None else row.metric == metric)), None)


def _refuse_misfits(source: PolicySource, cases: Sequence[Case], baseline: Selected, candidate: Selected) -> None:
    problems = [
        source.problem(
            ("datasets", case.name),
            f"{case.name} is there through {', '.join(side.columns(case.name))}",
            f"say which, as {side.root}:{side.model}@{next(iter(side.columns(case.name)))}",
        )
        for case in cases
        for side in (baseline, candidate)
        if len(side.columns(case.name)) > 1
    ]
    problems += [
        problem
        for case in cases
        if (row := case.before or case.after) is not None
        for problem in row_problems(source, case.wanted, row)
    ]
    for case in cases:
        if case.before is None and case.after is None and case.wanted.rule.metric:
            names = sorted(
                {row.metric for side in (baseline, candidate) for row in side.rows() if row.dataset == case.name}
            )
            message = f"{case.name} has no metric {case.wanted.rule.metric!r}"
            problems.append(source.problem(("datasets", case.name, "metric"), message, f"it has: {', '.join(names)}"))
    problems += unknown(source, baseline, candidate)
    if problems:
        raise SpecError(problems)


def _claim(case: Case, source: PolicySource) -> Claim | None:
    """What the rule decides by; None where there is no evidence at all."""
    one = case.comparison
    evidence = evidence_of(one) if one is not None else None
    row = case.before or case.after
    allowed = margin(case.wanted, row) if row is not None else None
    if one is None or evidence is None or allowed is None:
        return None
    loss = _loss(evidence, one)
    tier = (case.wanted.rule.tier or "supporting") if case.wanted.decides else "advisory"
    weight = _weight(source, case.name) if one.unit == "fraction" and one.higher_is_better else 0.0
    if not case.wanted.rule.relative:
        return Claim(tier, loss, allowed, weight)
    if one.variances is None:
        return None
    return Claim(tier, relative_loss(one, allowed), 0.0, weight, suite_loss=loss)


def _loss(evidence: Evidence, one: DatasetComparison) -> Evidence:
    return replace(evidence, estimate=-evidence.estimate) if one.higher_is_better else evidence


def relative_loss(one: DatasetComparison, share: float) -> Evidence:
    """Positive where the candidate's mean is worse than the baseline's by more than the share."""
    assert one.variances is not None
    ratio = 1 - share if one.higher_is_better else 1 + share
    spread = Spread(one.variances.baseline, one.variances.candidate, one.variances.covariance)
    df = one.groups - 1 if one.df is None else one.df
    return _loss(ratio_evidence(one.baseline, one.candidate, spread, df, ratio), one)


def _weight(source: PolicySource, dataset: str) -> float:
    weights = source.policy.suite.weights
    return 1.0 if weights == "equal" else weights.get(dataset, 0.0) if isinstance(weights, Mapping) else 1.0


def _decide(cases: Sequence[Case], source: PolicySource) -> Decision:
    with_claims = [case for case in cases if case.claim is not None]
    claims = [case.claim for case in with_claims if case.claim is not None]
    decision = decide(claims, source.policy.suite.max_drop, source.policy.alpha)
    for case, finding in zip(with_claims, decision.claims, strict=True):
        case.finding = finding
    return decision


def _suite(decision: Decision, cases: Sequence[Case], source: PolicySource) -> SuiteAnswer | None:
    if decision.suite is None or decision.suite_loss is None:
        return None
    inside = [case for case in cases if case.claim and case.claim.tier != "advisory" and case.claim.weight]
    total = sum(case.claim.weight for case in inside if case.claim)
    low, high = decision.suite_loss.interval()
    return SuiteAnswer(
        state=decision.suite.state,
        datasets=len(inside),
        difference=sum(
            case.comparison.difference * case.claim.weight / total for case in inside if case.comparison and case.claim
        ),
        ci95=(-high, -low),
        max_drop=source.policy.suite.max_drop,
        p_worse=decision.suite.p_worse,
        p_ok=decision.suite.p_ok,
    )


def _dataset(case: Case) -> DatasetAnswer:
    one, rule, finding = case.comparison, case.wanted.rule, case.finding
    row = case.after or case.before
    waiver = case.wanted.waiver
    by = f", {waiver.by}" if waiver and waiver.by else ""
    return DatasetAnswer(
        dataset=case.name,
        tier=rule.tier or "supporting",
        state=_state(case),
        metric=row.metric if row else None,
        unit=row.unit if row else "fraction",
        higher_is_better=row.higher_is_better if row else True,
        pairs=one.n if one else 0,
        unpaired=one.unpaired.total if one else 0,
        baseline=one.baseline if one else case.before.value if case.before else None,
        candidate=one.candidate if one else case.after.value if case.after else None,
        difference=one.difference if one else None,
        ci95=one.ci95 if one else None,
        margin=margin(case.wanted, row) if row else None,
        relative=bool(rule.relative),
        p_worse=finding.p_worse if finding else None,
        p_ok=finding.p_ok if finding else None,
        gained=one.gained if one else 0,
        lost=one.lost if one else 0,
        floor=case.faults.floor.words,
        waived=f"until {waiver.until}: {waiver.reason}{by}" if waiver else "",
        why=case.faults.told,
    )


def _state(case: Case) -> State:
    if not case.wanted.decides:
        return "told"
    if case.faults.missing:
        return "missing"
    if case.faults.floor.broken or (case.finding and case.finding.state == "worse"):
        return "worse"
    if case.faults.unclear or case.finding is None:
        return "unclear"
    return "not shown" if case.faults.floor.not_shown else case.finding.state


def _verdict(decided: Verdict, states: Sequence[State], settings: Sequence[str]) -> Verdict:
    if decided == "NO-GO" or {"worse", "missing"} & set(states):
        return "NO-GO"
    if decided != "GO" or {"unclear", "not shown"} & set(states) or settings:
        return "INCONCLUSIVE"
    return "GO"


def _info(source: PolicySource) -> PolicyInfo:
    policy = source.policy
    return PolicyInfo(
        path=str(source.path), sha256=source.sha256, alpha=policy.alpha, on_inconclusive=policy.on_inconclusive
    )
