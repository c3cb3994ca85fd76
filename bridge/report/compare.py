"""Runs against a baseline, dataset by dataset: what differs, by how much, and whether that can be chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge.errors import Problem, SpecError, did_you_mean
from bridge.report.compare_dataset import Column, How, compare_dataset, incomparable
from bridge.report.compare_loads import is_load_test, load_differences
from bridge.report.compare_schema import Against, Comparison, DatasetComparison, NotCompared, Suite, Verdict
from bridge.report.compare_scores import Scores, read_scores
from bridge.report.compare_settings import RowPair, differences
from bridge.report.compare_sides import Selected, samples_path, select
from bridge.report.multiple import holm
from bridge.report.overview import is_overall
from bridge.report.paired import Evidence, combined
from bridge.report.perf_points import DATASET
from bridge.report.schema import ResultRow

ALPHA = 0.05
EVERY = "*"


@dataclass(frozen=True)
class Options:
    how: How = field(default_factory=How)
    datasets: Mapping[str, str] = field(default_factory=dict)
    """Only these, each with its name on the candidates' side; empty: all."""
    metrics: Mapping[str, str] = field(default_factory=dict)
    """Dataset → the metric to compare, where that is not the primary one; ``*``: of every dataset."""
    clusters: Mapping[str, str] = field(default_factory=dict)
    """Dataset → where its clusters come from, where that is not ``how.cluster``."""


@dataclass
class _Findings:
    """What there is to say about one candidate."""

    side: Selected
    datasets: list[DatasetComparison] = field(default_factory=list)
    not_compared: list[NotCompared] = field(default_factory=list)
    rows: list[RowPair] = field(default_factory=list)


def compare(arguments: Sequence[str], options: Options) -> Comparison:
    """The first argument is the baseline. Raises SpecError where nothing can be compared, with every reason."""
    return compare_selected(select(arguments), options)


def compare_selected(sides: Sequence[Selected], options: Options) -> Comparison:
    """As ``compare``, of sides that have been read."""
    comparison = compare_sides(sides[0], sides[1:], options)
    if not any(against.datasets or against.loads for against in comparison.against):
        raise SpecError(list(_reasons(comparison)))
    return comparison


def compare_sides(baseline: Selected, candidates: Sequence[Selected], options: Options) -> Comparison:
    """As ``compare_selected``; where nothing can be compared, the result says so.

    Raises SpecError for datasets that neither side has.
    """
    _refuse_unknown(options, baseline, candidates)
    found = [_Findings(side) for side in candidates]
    files = _Files()
    for dataset, other in _wanted(options, baseline, candidates).items():
        for findings in found:
            _compare_one(findings, baseline, (dataset, other), options, files)
    return Comparison(baseline=baseline.info, against=tuple(_corrected(baseline, found)))


class _Files:
    """Reads files of samples, and keeps the baseline's while the candidates come one after the other."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Path, str, str], Scores] = {}

    def column(self, row: ResultRow, path: Path, cluster: str, *, keep: bool) -> Column:
        key = path, row.metric, cluster
        if key not in self._kept:
            scores = read_scores(*key)
            if not keep:
                return Column(row, scores)
            self._kept = {key: scores}
        return Column(row, self._kept[key])


def _compare_one(
    findings: _Findings, baseline: Selected, names: tuple[str, str], options: Options, files: _Files
) -> None:
    dataset = names[0]
    how = replace(options.how, cluster=options.clusters.get(dataset, options.how.cluster))
    metric = options.metrics.get(dataset) or options.metrics.get(EVERY)
    for before, after in _row_pairs(findings, baseline, names, metric):
        findings.rows.append((before, after))
        old, new = samples_path(before, baseline.root), samples_path(after, findings.side.root)
        if old is None or new is None or incomparable(before, after):
            reason = incomparable(before, after) or _no_samples(before, after, baseline_has=old is not None)
            findings.not_compared.append(NotCompared(dataset=dataset, reason=reason))
            continue
        result = compare_dataset(
            files.column(before, old, how.cluster, keep=True), files.column(after, new, how.cluster, keep=False), how
        )
        if isinstance(result, DatasetComparison):
            findings.datasets.append(result)
        else:
            findings.not_compared.append(result)


def _row_pairs(
    findings: _Findings, baseline: Selected, names: tuple[str, str], metric: str | None
) -> Iterator[RowPair]:
    """Through the same backend on both sides where there is one; else the only one of each."""
    before, after = baseline.columns(names[0]), findings.side.columns(names[1])
    same = [(name, name) for name in before if name in after]
    rest = [name for name in before if name not in after], [name for name in after if name not in before]
    if len(rest[0]) == len(rest[1]) == 1:
        same.append((rest[0][0], rest[1][0]))
    for old, new in same:
        rows = _row(before[old], metric), _row(after[new], metric)
        if rows[0] is not None and rows[1] is not None:
            yield rows[0], rows[1]
        else:
            reason = f"no metric {metric!r}" if metric else "no primary metric"
            findings.not_compared.append(NotCompared(dataset=names[0], reason=f"{reason}{_metrics(before[old])}"))
    if not same:
        reason = _no_columns(list(before), list(after), baseline, findings.side)
        findings.not_compared.append(NotCompared(dataset=names[0], reason=reason))


def _row(rows: Sequence[ResultRow], metric: str | None) -> ResultRow | None:
    if metric is None:
        return next((row for row in rows if row.primary), None)
    return next((row for row in rows if row.metric == metric and is_overall(row)), None)


def _metrics(rows: Sequence[ResultRow]) -> str:
    names = list(dict.fromkeys(row.metric for row in rows if is_overall(row)))
    return f"; it has: {', '.join(names)}" if names else ""


def _no_columns(before: Sequence[str], after: Sequence[str], baseline: Selected, candidate: Selected) -> str:
    if not before or not after:
        return f"only {candidate.info.label if not before else baseline.info.label} has it"
    return f"through {', '.join(before)} against {', '.join(after)}: say which, as RUN:model@backend"


def _no_samples(before: ResultRow, after: ResultRow, *, baseline_has: bool) -> str:
    row, who = (after, "candidate") if baseline_has else (before, "baseline")
    if row.samples is None:
        return f"the {who} has no records of samples: {row.reason or 'its backend wrote none'}"
    return f"the {who}'s samples are not there ({row.samples})"


def _wanted(options: Options, baseline: Selected, candidates: Sequence[Selected]) -> dict[str, str]:
    if options.datasets:
        return dict(options.datasets)
    names = [name for side in (baseline, *candidates) for name in side.datasets()]
    if is_load_test(baseline) and any(is_load_test(side) for side in candidates):
        # Their requests have no scores; the loads are compared instead.
        names = [name for name in names if name != DATASET]
    return {name: name for name in names}


def _refuse_unknown(options: Options, baseline: Selected, candidates: Sequence[Selected]) -> None:
    known = sorted({name for side in (baseline, *candidates) for name in side.datasets()})
    problems = [
        Problem("--dataset", "", f"no run has a dataset {name!r}", did_you_mean(name, known) or ", ".join(known))
        for pair in options.datasets.items()
        for name in dict.fromkeys(pair)
        if name not in known
    ]
    if problems:
        raise SpecError(problems)


def _corrected(baseline: Selected, found: Sequence[_Findings]) -> Iterator[Against]:
    """Holm over everything that is claimed at once: all datasets of all candidates."""
    adjusted = iter(holm([one.p_value for findings in found for one in findings.datasets]))
    for findings in found:
        datasets = [_with_verdict(one, next(adjusted)) for one in findings.datasets]
        yield Against(
            candidate=findings.side.info,
            differences=differences(baseline, findings.side, findings.rows),
            suite=_suite(datasets),
            datasets=tuple(datasets),
            not_compared=tuple(findings.not_compared),
            loads=load_differences(baseline, findings.side),
        )


def _with_verdict(one: DatasetComparison, p_holm: float) -> DatasetComparison:
    verdict: Verdict = "no difference shown"
    if p_holm <= ALPHA and one.difference:
        verdict = "better" if (one.difference > 0) == one.higher_is_better else "worse"
    return one.model_copy(update={"p_holm": p_holm, "verdict": verdict})


def _suite(datasets: Sequence[DatasetComparison]) -> Suite | None:
    # Through a second backend the same samples would count twice.
    first = {one.dataset: one for one in reversed(datasets)}
    fractions = [one for one in first.values() if one.unit == "fraction" and one.higher_is_better]
    if len(fractions) < 2:
        return None
    difference = sum(one.difference for one in fractions) / len(fractions)
    known = [evidence for one in fractions if (evidence := evidence_of(one)) is not None]
    whole = combined(known, [1 / len(known)] * len(known)) if len(known) == len(fractions) else None
    return Suite(datasets=len(fractions), difference=difference, ci95=whole.interval() if whole else None)


def evidence_of(one: DatasetComparison) -> Evidence | None:
    """What is known of the dataset's true difference; None where nothing is."""
    if one.estimate is None or one.stderr is None:
        return None
    return Evidence(one.estimate, one.stderr, float("inf") if one.df is None else one.df)


def _reasons(comparison: Comparison) -> Iterator[Problem]:
    for against in comparison.against:
        sides = f"{comparison.baseline.label} and {against.candidate.label} cannot be compared"
        if not against.not_compared:
            yield Problem("", "", f"{sides}: they have no dataset")
        for one in against.not_compared:
            yield Problem("", "", f"{sides} on {one.dataset}: {one.reason}")
