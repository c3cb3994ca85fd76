"""One dataset on two sides: pairs, difference, subsets, flips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Literal

import numpy as np

from bridge.report.compare_corpus import DRAWS, WholeSet, whole_set
from bridge.report.compare_flips import Bytes, counted, flips, largest, symptoms, why_different
from bridge.report.compare_pairs import Pairs, bounds, pair
from bridge.report.compare_schema import DatasetComparison, Noise, NotCompared, PartDifference, Unpaired, Variances
from bridge.report.compare_scores import DECLARED, NO_CLUSTER, Scores
from bridge.report.estimate import Z975
from bridge.report.multiple import benjamini_hochberg
from bridge.report.paired import Z80, Floats, Paired, paired
from bridge.report.schema import ResultRow
from bridge.report.text import one_line, plural

FEW_CLUSTERS = 20
MEAN_DIFFERS = 1e-6


@dataclass(frozen=True)
class Column:
    """A row of a report, and the scores behind it."""

    row: ResultRow
    scores: Scores


Witness = Callable[[Column, Column, Pairs, Floats, Bytes], None]


@dataclass(frozen=True)
class How:
    """What a user can set about the comparison of a dataset."""

    cluster: str = DECLARED
    any_prompt: bool = False
    """Pairs also where the same backend asked with another prompt."""
    flips: int = 20
    """How many lost and how many gained samples are told."""
    witness: Witness | None = None
    """Told of every compared dataset's pairs, in the order of comparing; a gain is positive where the candidate's."""


def incomparable(before: ResultRow, after: ResultRow) -> str:
    """Why the two rows' scores do not have the same meaning; empty where they have."""
    if before.unit != after.unit:
        return f"the units differ: {before.metric} in {before.unit}, {after.metric} in {after.unit}"
    if before.higher_is_better != after.higher_is_better:
        return f"of {before.metric} and {after.metric} one is better when it is higher, the other when it is lower"
    if before.backend == after.backend and before.metric != after.metric:
        return f"the metrics differ: {before.metric} and {after.metric}; --metric names one that both have"
    return ""


def compare_dataset(baseline: Column, candidate: Column, how: How) -> DatasetComparison | NotCompared:
    same_backend = baseline.row.backend == candidate.row.backend
    pairs = pair(baseline.scores, candidate.scores, same_prompt=same_backend and not how.any_prompt)
    if not len(pairs):
        return NotCompared(dataset=baseline.row.dataset, reason=_why_no_pairs(baseline, candidate, pairs.unpaired))
    return _compared(baseline, candidate, pairs, how)


def _compared(baseline: Column, candidate: Column, pairs: Pairs, how: How) -> DatasetComparison:
    row, before, after = baseline.row, baseline.scores, candidate.scores
    old, new = before.score[pairs.baseline], after.score[pairs.candidate]
    clustered = how.cluster != NO_CLUSTER and before.clustered and after.clustered
    average = average_of(row)
    found = paired(
        old,
        new,
        clusters=before.cluster[pairs.baseline] if clustered else None,
        strata=before.subset[pairs.baseline] if average == "macro" else None,
    )
    unit = before.cluster[pairs.baseline] if clustered else np.arange(len(pairs))
    numbered = np.unique(unit, return_inverse=True)[1].reshape(-1)
    whole = whole_set((row, candidate.row), (before, after), pairs, numbered)
    gain = (new - old) * (1 if row.higher_is_better else -1)
    reasons = why_different(before, after, pairs)
    if how.witness is not None:
        how.witness(baseline, candidate, pairs, gain, reasons)
    evidence = found.evidence
    metrics = row.metric, candidate.row.metric
    compared = DatasetComparison(
        dataset=row.dataset,
        candidate_dataset=candidate.row.dataset if candidate.row.dataset != row.dataset else None,
        metric=row.metric,
        unit=row.unit,
        higher_is_better=row.higher_is_better,
        average=average,
        baseline_backend=row.backend,
        candidate_backend=candidate.row.backend,
        paired_by=pairs.by,
        n=found.n,
        unpaired=pairs.unpaired,
        baseline=found.baseline,
        candidate=found.candidate,
        difference=found.difference,
        ci95=_within(found.ci95, row),
        bounds=bounds(pairs, before, after, row) if average == "micro" else None,
        p_value=found.p_value,
        test=found.test,
        gained=int((gain > 0).sum()),
        lost=int((gain < 0).sum()),
        detectable=found.detectable,
        estimate=evidence.estimate if evidence else None,
        stderr=evidence.stderr if evidence else None,
        df=evidence.df if evidence and isfinite(evidence.df) else None,
        variances=_variances(found),
        groups=found.groups,
        clustered=clustered,
        design_effect=found.design_effect,
        noise=_noise(before, after, pairs, new - old),
        reasons=counted(reasons, new - old),
        symptoms=symptoms(before, after, pairs, gain < 0),
        subsets=tuple(_subsets(before, pairs, old, new, row)),
        flips_lost=tuple(flips(before, after, pairs, largest(gain, how.flips, lost=True), reasons, metrics)),
        flips_gained=tuple(flips(before, after, pairs, largest(gain, how.flips, lost=False), reasons, metrics)),
        notes=tuple(_notes(baseline, candidate, pairs, found, clustered=clustered, whole=whole is not None)),
    )
    return compared if whole is None else _of_the_whole(compared, whole, row)


def _of_the_whole(compared: DatasetComparison, whole: WholeSet, row: ResultRow) -> DatasetComparison:
    """The numbers of a metric that is no mean over samples; flips and reasons stay those of the samples."""
    note = (
        f"{one_line(row.metric)} is of the whole set: recomputed over the pairs, {DRAWS:,} bootstrap draws of samples"
    )
    return compared.model_copy(
        update={
            "baseline": whole.baseline,
            "candidate": whole.candidate,
            "difference": whole.difference,
            "ci95": _within(whole.ci95, row),
            "bounds": None,
            "p_value": whole.p_value,
            "test": "bootstrap",
            "detectable": (Z975 + Z80) * whole.stderr or None,
            "estimate": whole.difference,
            "stderr": whole.stderr,
            "df": None,
            "variances": None,
            "design_effect": None,
            "noise": None,
            "notes": (note, *compared.notes),
        }
    )


def average_of(row: ResultRow) -> Literal["micro", "macro"]:
    return "macro" if row.settings.get("average") == "macro" else "micro"


def _within(ci95: tuple[float, float] | None, row: ResultRow) -> tuple[float, float] | None:
    """A difference cannot be larger than the metric's range."""
    if ci95 is None or row.min_value is None or row.max_value is None:
        return ci95
    width = row.max_value - row.min_value
    return max(-width, ci95[0]), min(width, ci95[1])


def _variances(found: Paired) -> Variances | None:
    spread = found.spread
    if spread is None:
        return None
    return Variances(baseline=spread.baseline, candidate=spread.candidate, covariance=spread.covariance)


def _noise(before: Scores, after: Scores, pairs: Pairs, change: Floats) -> Noise | None:
    times_before, times_after = before.scored[pairs.baseline], after.scored[pairs.candidate]
    if len(pairs) < 2 or (times_before.max() < 2 and times_after.max() < 2):
        return None
    within = _asking_again(before, pairs.baseline) + _asking_again(after, pairs.candidate)
    total = float(change.var(ddof=1))
    return Noise(
        repeats_baseline=float(times_before.mean()),
        repeats_candidate=float(times_after.mean()),
        share_within=min(1.0, within / total) if total > 0 else 0.0,
    )


def _asking_again(scores: Scores, places: np.typing.NDArray[np.int64]) -> float:
    """Mean variance of a sample's mean score over its repeats; those asked once are taken to vary like the others."""
    times, means = scores.scored[places], scores.score[places]
    several = times > 1
    if not several.any():
        return 0.0
    spread = scores.squares[places] - times * means**2
    one_answer = float((spread[several] / (times[several] - 1)).mean())
    return max(0.0, one_answer * float((1 / times).mean()))


def _subsets(before: Scores, pairs: Pairs, old: Floats, new: Floats, row: ResultRow) -> Iterator[PartDifference]:
    """By distance: the largest losses first."""
    which = before.subset[pairs.baseline]
    present = np.unique(which)
    if len(present) < 2:
        return
    parts = [(at, paired(old[which == at], new[which == at])) for at in present]
    q_values = benjamini_hochberg([part.p_value for _, part in parts])
    sign = 1 if row.higher_is_better else -1
    for (at, part), q_value in sorted(zip(parts, q_values, strict=True), key=lambda one: sign * one[0][1].difference):
        gained, lost = (part.gained, part.lost) if sign > 0 else (part.lost, part.gained)
        yield PartDifference(
            subset=before.subsets[int(at)],
            n=part.n,
            baseline=part.baseline,
            candidate=part.candidate,
            difference=part.difference,
            ci95=_within(part.ci95, row),
            p_value=part.p_value,
            q_value=q_value,
            gained=gained,
            lost=lost,
        )


def _notes(
    baseline: Column, candidate: Column, pairs: Pairs, found: Paired, *, clustered: bool, whole: bool
) -> Iterator[str]:
    if pairs.by == "position":
        yield "the ids have nothing in common: paired by position, where the targets agree"
    before, after = baseline.scores, candidate.scores
    same = float((before.target[pairs.baseline] == after.target[pairs.candidate]).mean())
    if same < 1 and baseline.row.backend == candidate.row.backend:
        yield f"{_share(1 - same)} of the pairs have another target: was the data changed?"
    if baseline.row.metric != candidate.row.metric:
        yield f"the metrics have different names: {baseline.row.metric} and {candidate.row.metric}"
    if clustered and found.groups < FEW_CLUSTERS:
        yield f"only {plural(found.groups, 'cluster')}: the interval is rough, the test flips whole clusters"
    if found.ci95 is None:
        yield "no interval: at least two independent samples of every subset that counts are needed"
    partial = int(((before.missing[pairs.baseline] > 0) | (after.missing[pairs.candidate] > 0)).sum())
    if partial:
        yield f"{plural(partial, 'sample')} have fewer scores than they were asked times"
    for column in (baseline, candidate):
        yield from () if whole else _other_mean(column)
        if column.scores.unreadable:
            what = plural(column.scores.unreadable, "line")
            yield f"{what} of {column.row.samples} cannot be read, first: {one_line(column.scores.first_unreadable)}"


def _other_mean(column: Column) -> Iterator[str]:
    """A metric of the whole set (BLEU of a corpus, F1 of a class) is not the mean of its samples' scores."""
    row, scores = column.row, column.scores
    if row.value is None or average_of(row) == "macro" or not scores.scored.any():
        return
    known = scores.scored > 0
    mean = float((scores.score[known] * scores.scored[known]).sum() / scores.scored.sum())
    if abs(mean - row.value) > MEAN_DIFFERS * max(1.0, abs(row.value)):
        yield (
            f"{one_line(row.backend)} reports {row.value:.4g}, the mean of its samples' scores is {mean:.4g}: "
            "the difference is that of the samples' scores"
        )


def _why_no_pairs(baseline: Column, candidate: Column, unpaired: Unpaired) -> str:
    before, after = baseline.scores, candidate.scores
    if not len(before) or not len(after):
        return f"the {'baseline' if not len(before) else 'candidate'} has no records of samples"
    if unpaired.other_prompt:
        hint = "--any-prompt pairs them all the same"
        return f"all {unpaired.other_prompt:,} samples that both have were asked with another prompt; {hint}"
    errors = unpaired.error_in_baseline + unpaired.error_in_candidate + unpaired.error_in_both
    if errors:
        return f"no sample has a score on both sides ({unpaired.error_in_candidate:,} only in the baseline)"
    if unpaired.ambiguous:
        return f"the ids of all {unpaired.ambiguous:,} samples stand for several samples each"
    return f"no sample id is on both sides ({len(before):,} and {len(after):,} samples)"


def _share(fraction: float) -> str:
    return f"{100 * fraction:.2g} %"
