"""Limits of measured numbers: latency and tokens of the run, and metrics of single rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridge.errors import Problem, did_you_mean
from bridge.gate.policy import PerformanceRule
from bridge.gate.policy_file import PolicySource
from bridge.gate.schema import PerformanceAnswer, State
from bridge.report.compare_sides import Selected
from bridge.report.overview import is_overall

FIXED = ("requests", "cached", "retried", "failed", "prompt_tokens", "completion_tokens")
LATENCY = ("latency_s.p50", "latency_s.p95", "latency_s.p99")


def measured(side: Selected) -> dict[str, float]:
    """What the side's report has: the run's traffic, and the overall value of every metric, alone and by dataset."""
    usage = side.report.usage
    found = {name: float(getattr(usage, name)) for name in FIXED}
    if usage.latency_s is not None:
        found |= {f"latency_s.{name}": value for name, value in usage.latency_s.model_dump().items()}
    rows = [row for row in side.rows() if is_overall(row) and row.value is not None]
    for row in rows:
        found[f"{row.dataset}/{row.metric}"] = float(row.value or 0.0)
    names = [row.metric for row in rows]
    alone = {row.metric: float(row.value or 0.0) for row in rows if names.count(row.metric) == 1}
    return {**alone, **found}


def unknown(source: PolicySource, baseline: Selected, candidate: Selected) -> Iterator[Problem]:
    known = {*measured(baseline), *measured(candidate), *FIXED, *LATENCY}
    for name in source.policy.performance:
        if name not in known:
            hint = did_you_mean(name, known) or f"one of: {', '.join((*LATENCY, *FIXED))}, DATASET/METRIC"
            yield source.problem(("performance", name), "neither run has measured this", hint)


def performance(source: PolicySource, baseline: Selected, candidate: Selected) -> tuple[PerformanceAnswer, ...]:
    before, after = measured(baseline), measured(candidate)
    return tuple(
        _answer(name, rule, before.get(name), after.get(name)) for name, rule in source.policy.performance.items()
    )


def _answer(name: str, rule: PerformanceRule, before: float | None, after: float | None) -> PerformanceAnswer:
    limits = list(_limits(rule, before))
    broken = [words for words, limit, above in limits if after is not None and _beyond(after, limit, above=above)]
    return PerformanceAnswer(
        name=name,
        state=_state(rule, before, after, broken),
        baseline=before,
        candidate=after,
        limits=tuple(words for words, _, _ in limits),
        broken=tuple(broken),
    )


def _state(rule: PerformanceRule, before: float | None, after: float | None, broken: Sequence[str]) -> State:
    if after is None:
        return "missing"
    if broken:
        return "worse"
    needs_baseline = rule.max_relative_rise is not None or rule.max_relative_drop is not None
    return "unclear" if needs_baseline and not before else "ok"


def _beyond(value: float, limit: float, *, above: bool) -> bool:
    return value > limit if above else value < limit


def _limits(rule: PerformanceRule, before: float | None) -> Iterator[tuple[str, float, bool]]:
    """Words, the limit, and whether it is one from above."""
    if rule.max is not None:
        yield f"at most {rule.max:g}", rule.max, True
    if rule.min is not None:
        yield f"at least {rule.min:g}", rule.min, False
    if before and rule.max_relative_rise is not None:
        yield (
            f"at most {100 * rule.max_relative_rise:g} % above {before:g}",
            before * (1 + rule.max_relative_rise),
            True,
        )
    if before and rule.max_relative_drop is not None:
        yield (
            f"at most {100 * rule.max_relative_drop:g} % below {before:g}",
            before * (1 - rule.max_relative_drop),
            False,
        )
