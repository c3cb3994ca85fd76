"""From per-sample records to rows of the report, in one pass and in memory that grows with the subsets only.

    rows = aggregate(records, template=ResultRow(…), metrics=[MetricInfo("accuracy", primary=True)])

``records`` may be ``SampleRecord`` or, where making those costs too much, ``ScoredSample`` (100,000 in well under a
second). The repeats of a sample are to come one after the other, as they do in ``samples/*.jsonl``: they are not
independent, and the standard error takes that into account. ``n + n_errors`` of a row is the number of records it is
about, so a sample that was never asked needs a record with an ``error`` to be missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from bridge.report.estimate import HUGE, Estimate, Tally, macro
from bridge.report.schema import ResultRow, Status
from bridge.report.text import one_line

Unit = Literal["fraction", "rating", "count", "seconds", "tokens", "points", "per_second"]
Average = Literal["micro", "macro"]


@dataclass(frozen=True)
class MetricInfo:
    """What a metric's number means; without ``primary`` anywhere the first of a sequence is the primary one."""

    name: str
    unit: Unit = "fraction"
    min_value: float | None = 0.0
    max_value: float | None = 1.0
    higher_is_better: bool = True
    primary: bool = False


class Scored(Protocol):
    """What ``aggregate`` reads of a record."""

    @property
    def subset(self) -> str | None: ...
    @property
    def sample_id(self) -> str: ...
    @property
    def repeat(self) -> int: ...
    @property
    def scores(self) -> Mapping[str, float]: ...
    @property
    def error(self) -> str | None: ...


class ScoredSample(NamedTuple):
    """The part of a ``SampleRecord`` that a score needs; cheap to make."""

    sample_id: str
    scores: Mapping[str, float] = {}
    error: str | None = None
    subset: str | None = None
    repeat: int = 0


@dataclass
class _Group:
    """The records of one subset, or of several merged."""

    tallies: list[Tally]
    n_errors: list[int]
    why: str = ""
    """The first record's reason for having no score."""
    last_id: str | None = None
    scattered: bool = False
    """A sample's repeats did not come one after the other."""


@dataclass(frozen=True)
class _Scope:
    """Which samples a row is about."""

    subset: str | None = None
    category: str | None = None
    groups: Mapping[str | None, _Group] = field(default_factory=dict)


def aggregate(
    records: Iterable[Scored],
    *,
    template: ResultRow,
    metrics: Sequence[MetricInfo],
    categories: Mapping[str, str] = {},
    average: Average = "micro",
) -> tuple[ResultRow, ...]:
    """The rows: overall first, the primary one first of all; then categories, then subsets, as they first appear.

    ``template`` gives the fields that all rows share. ``categories`` maps subsets to groups that get rows of their own.
    With more than one subset there are two overall values: ``average`` is the one that is quoted, over samples
    (micro) or over subsets (macro); the other stands beside it as ``<metric>_macro`` or ``<metric>_micro``.
    A record with an ``error``, or without a finite score for a metric, counts in ``n_errors`` and is in no value.
    """
    metrics = _with_primary(metrics)
    groups = _grouped(records, [metric.name for metric in metrics])
    rows: list[ResultRow] = []
    for scope in _scopes(groups, categories):
        whole = _merged(scope.groups.values(), len(metrics))
        for at in sorted(range(len(metrics)), key=lambda i: not metrics[i].primary):
            rows += _rows(template, metrics[at], at, scope, whole, average)
    return tuple(rows)


def _with_primary(metrics: Sequence[MetricInfo]) -> list[MetricInfo]:
    primaries = [metric.name for metric in metrics if metric.primary]
    if not metrics or len(primaries) > 1:
        raise ValueError(f"exactly one metric is to be the primary one, not {primaries or 'none'}")
    main = primaries[0] if primaries else metrics[0].name
    return [
        MetricInfo(m.name, m.unit, m.min_value, m.max_value, m.higher_is_better, primary=m.name == main)
        for m in metrics
    ]


def _grouped(records: Iterable[Scored], names: Sequence[str]) -> dict[str | None, _Group]:
    groups: dict[str | None, _Group] = {}
    for record in records:
        group = groups.get(record.subset)
        if group is None:
            group = groups[record.subset] = _Group([Tally() for _ in names], [0] * len(names))
        _count(group, record, names)
    return groups


def _count(group: _Group, record: Scored, names: Sequence[str]) -> None:
    sample_id, error = record.sample_id, record.error
    if record.repeat and sample_id != group.last_id:
        group.scattered = True
    group.last_id = sample_id
    scores = record.scores if error is None else {}
    for at, name in enumerate(names):
        value = scores.get(name)
        if value is not None and -HUGE < value < HUGE:
            group.tallies[at].add(value, sample_id)
            continue
        group.n_errors[at] += 1
        group.why = group.why or one_line(error or f"no {name} for sample {sample_id}")


def _scopes(groups: Mapping[str | None, _Group], categories: Mapping[str, str]) -> Iterator[_Scope]:
    """Everything, each category, each subset."""
    yield _Scope(groups=groups)
    by_category: dict[str, dict[str | None, _Group]] = {}
    for subset, group in groups.items():
        if subset is not None and subset in categories:
            by_category.setdefault(categories[subset], {})[subset] = group
    for category, members in by_category.items():
        yield _Scope(category=category, groups=members)
    for subset, group in groups.items():
        if subset is not None:
            yield _Scope(subset=subset, category=categories.get(subset), groups={subset: group})


def _merged(groups: Iterable[_Group], width: int) -> _Group:
    whole = _Group([Tally() for _ in range(width)], [0] * width)
    for group in groups:
        for at in range(width):
            whole.tallies[at].merge(group.tallies[at])
            whole.n_errors[at] += group.n_errors[at]
        whole.why = whole.why or group.why
        whole.scattered |= group.scattered
    return whole


def _rows(
    template: ResultRow, metric: MetricInfo, at: int, scope: _Scope, whole: _Group, average: Average
) -> Iterator[ResultRow]:
    micro = whole.tallies[at].estimate()
    overall = scope.subset is None and scope.category is None
    first = _row(template, metric, scope, micro, whole, at).model_copy(update={"primary": metric.primary and overall})
    if len(scope.groups) < 2:
        yield first
        return
    parts = [group.tallies[at].estimate() for group in scope.groups.values()]
    second = _row(template, metric, scope, macro(parts), whole, at)
    second = second.model_copy(update={"reason": _macro_reason(second, parts)})
    if average == "macro":
        first, second = (
            second.model_copy(update={"primary": first.primary}),
            first.model_copy(update={"primary": False}),
        )
    other = "micro" if average == "macro" else "macro"
    yield first.model_copy(update={"settings": {**template.settings, "average": average}})
    yield second.model_copy(
        update={"metric": f"{metric.name}_{other}", "settings": {**template.settings, "average": other}}
    )


def _row(
    template: ResultRow, metric: MetricInfo, scope: _Scope, estimate: Estimate, group: _Group, at: int
) -> ResultRow:
    n_errors = group.n_errors[at]
    status = Status.FAILED if not estimate.n else Status.PARTIAL if n_errors else Status.COMPLETE
    certain = not group.scattered
    return template.model_copy(
        update={
            "subset": scope.subset,
            "category": scope.category,
            "metric": metric.name,
            "value": estimate.value,
            "unit": metric.unit,
            "min_value": metric.min_value,
            "max_value": metric.max_value,
            "higher_is_better": metric.higher_is_better,
            "primary": False,
            "n": estimate.n,
            "n_errors": n_errors,
            "stderr": estimate.stderr if certain else None,
            "ci95": _within(metric, estimate.ci95) if certain else None,
            "status": status,
            "reason": _reason(estimate.n, n_errors, group),
        }
    )


def _within(metric: MetricInfo, ci95: tuple[float, float] | None) -> tuple[float, float] | None:
    """An interval does not leave the metric's own bounds."""
    if ci95 is None:
        return None
    low, high = ci95
    low = low if metric.min_value is None else max(low, metric.min_value)
    return low, high if metric.max_value is None else min(high, metric.max_value)


def _reason(n: int, n_errors: int, group: _Group) -> str | None:
    if not n and not n_errors:
        return "there was no sample"
    parts = []
    if n_errors:
        seen = f"none of {n_errors}" if not n else f"{n_errors} of {n + n_errors}"
        parts.append(f"{seen} samples {'was' if not n else 'were not'} scored; first: {group.why}")
    if group.scattered:
        parts.append("no interval: the repeats of a sample are not next to each other")
    return "; ".join(parts) or None


def _macro_reason(row: ResultRow, parts: Sequence[Estimate]) -> str | None:
    empty = sum(not part.n for part in parts)
    if not empty or not row.n:
        return row.reason
    return f"{empty} of {len(parts)} subsets have no value and are not in the mean; {row.reason}"
