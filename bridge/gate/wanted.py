"""Which datasets a policy gates, each by which rule; what the policy says about datasets that are not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from bridge.errors import Problem, SpecError, did_you_mean
from bridge.gate.policy import DatasetRule, Policy, Waiver
from bridge.gate.policy_file import PolicySource
from bridge.report.schema import ResultRow


@dataclass(frozen=True)
class Wanted:
    """A dataset, and the rule that holds for it."""

    dataset: str
    rule: DatasetRule
    waiver: Waiver | None = None

    @property
    def decides(self) -> bool:
        return self.rule.tier != "advisory" and self.waiver is None


def wanted(source: PolicySource, baseline: Sequence[str], candidate: Sequence[str], today: date) -> list[Wanted]:
    """The datasets in the policy's order. Raises SpecError for names that no run has, and where nothing is gated."""
    known = list(dict.fromkeys([*baseline, *candidate]))
    problems = list(_unknown(source, known))
    rules = _rules(source.policy, known, baseline)
    waivers = {waiver.dataset: waiver for waiver in source.policy.waivers if waiver.until >= today}
    found = [Wanted(name, rule, waivers.get(name)) for name, rule in rules.items()]
    if not problems and not any(one.decides for one in found):
        problems.append(_nothing_gated(source, found))
    if problems:
        raise SpecError(problems)
    return found


def expired(policy: Policy, today: date) -> list[Waiver]:
    return [waiver for waiver in policy.waivers if waiver.until < today]


def row_problems(source: PolicySource, one: Wanted, row: ResultRow) -> Iterator[Problem]:
    """What of the rule does not fit the dataset's metric."""
    rule, name = one.rule, one.dataset
    key = ("datasets", name) if name in source.policy.datasets else ("datasets",)
    if rule.unit is not None and rule.unit != row.unit:
        yield source.problem((*key, "unit"), f"{name}: the unit of {row.metric} is {row.unit}, not {rule.unit}")
    if row.higher_is_better and rule.max_rise is not None:
        yield source.problem((*key, "max_rise"), f"{name}: of {row.metric} higher is better", "give max_drop")
    own = source.policy.datasets.get(name)
    if not row.higher_is_better and rule.max_drop is not None and rule.max_rise is None:
        given = own is not None and own.max_drop is not None
        hint = "give max_rise" if given else f"give {name} a max_rise in its own unit"
        yield source.problem((*key, "max_drop"), f"{name}: of {row.metric} lower is better", hint)
    elif margin(one, row) is None:
        which = "max_drop" if row.higher_is_better else "max_rise"
        hint = f"give {name} a {which} in its own unit, or one that is relative"
        yield source.problem(key, f"{name}: the unit of {row.metric} is {row.unit}, which has no default margin", hint)


def margin(one: Wanted, row: ResultRow) -> float | None:
    """How much worse the dataset may be; None where nothing says so."""
    rule = one.rule
    given = rule.max_drop if row.higher_is_better else rule.max_rise
    if given is None and row.unit == "fraction" and row.higher_is_better:
        from bridge.gate.policy import DEFAULT_MAX_DROP

        return DEFAULT_MAX_DROP
    return given


def _rules(policy: Policy, known: Sequence[str], baseline: Sequence[str]) -> Mapping[str, DatasetRule]:
    defaults = policy.defaults if policy.defaults.tier else DatasetRule(tier="supporting").over(policy.defaults)
    if not policy.datasets:
        return dict.fromkeys(baseline, defaults)
    names = dict.fromkeys(name for pattern in policy.datasets for name in _named(pattern, known))
    return {name: _rule(policy, name, defaults) for name in names}


def _rule(policy: Policy, name: str, defaults: DatasetRule) -> DatasetRule:
    rule = defaults
    for pattern, said in policy.datasets.items():
        if pattern != name and fnmatchcase(name, pattern):
            rule = said.over(rule)
    return policy.datasets[name].over(rule) if name in policy.datasets else rule


def _named(pattern: str, known: Sequence[str]) -> list[str]:
    return [pattern] if pattern in known else [name for name in known if fnmatchcase(name, pattern)]


def _unknown(source: PolicySource, known: Sequence[str]) -> Iterator[Problem]:
    for name in source.policy.datasets:
        if not _named(name, known):
            yield source.problem(("datasets", name), "no run has such a dataset", _hint(name, known))
    for at, waiver in enumerate(source.policy.waivers):
        if waiver.dataset not in known:
            key = ("waivers", at, "dataset")
            yield source.problem(key, f"no run has a dataset {waiver.dataset!r}", _hint(waiver.dataset, known))
    weights = source.policy.suite.weights
    for name in weights if isinstance(weights, dict) else ():
        if name not in known:
            yield source.problem(("suite", "weights", name), "no run has such a dataset", _hint(name, known))


def _hint(name: str, known: Sequence[str]) -> str:
    return did_you_mean(name, known) or f"they have: {', '.join(known) or 'none'}"


def _nothing_gated(source: PolicySource, found: Sequence[Wanted]) -> Problem:
    if not found:
        return source.problem((), "the baseline has no datasets, so nothing is gated")
    waived = [one.dataset for one in found if one.waiver is not None]
    why = f"waived: {', '.join(waived)}" if waived else "all are advisory"
    return source.problem(("datasets",), f"no dataset is gated ({why})", "a gate that nothing can fail is no gate")
