"""Which samples of two columns are pairs, which are not and why, and how far those could move the result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bridge.report.compare_schema import PairedBy, Unpaired
from bridge.report.compare_scores import DOUBLED, Scores
from bridge.report.paired import Floats, Integers
from bridge.report.schema import ResultRow

SAME_TARGETS = 0.9
"""Samples are paired by their position only where the targets agree so much more than by chance (Cohen's kappa)."""
FEWEST_BY_POSITION = 8
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Pairs:
    """Places in the two columns' arrays, in the baseline's order."""

    baseline: Integers
    candidate: Integers
    by: PairedBy
    unpaired: Unpaired
    lost_baseline: Floats
    lost_candidate: Floats
    """Scores of samples that are no pair for want of a score: NaN where it is missing."""

    def __len__(self) -> int:
        return len(self.baseline)


def pair(baseline: Scores, candidate: Scores, *, same_prompt: bool) -> Pairs:
    """``same_prompt``: samples that were asked with another prompt are no pairs."""
    before, after, by = _matched(baseline, candidate)
    doubled = ((baseline.flags[before] | candidate.flags[after]) & DOUBLED) > 0
    other = _other_prompt(baseline, candidate, before, after) & ~doubled if same_prompt else np.zeros_like(doubled)
    no_before = np.isnan(baseline.score[before])
    no_after = np.isnan(candidate.score[after])
    usable = ~doubled & ~other
    good = usable & ~no_before & ~no_after
    failed = usable & ~good
    only_before = np.setdiff1d(np.arange(len(baseline)), before)
    only_after = np.setdiff1d(np.arange(len(candidate)), after)
    return Pairs(
        baseline=before[good],
        candidate=after[good],
        by=by,
        unpaired=Unpaired(
            error_in_baseline=int((usable & no_before & ~no_after).sum()),
            error_in_candidate=int((usable & ~no_before & no_after).sum()),
            error_in_both=int((usable & no_before & no_after).sum()),
            only_in_baseline=len(only_before),
            only_in_candidate=len(only_after),
            other_prompt=int(other.sum()),
            ambiguous=int(doubled.sum()),
            unreadable=baseline.unreadable + candidate.unreadable,
        ),
        lost_baseline=_joined(
            baseline.score[before[failed]], baseline.score[only_before], np.full(len(only_after), np.nan)
        ),
        lost_candidate=_joined(
            candidate.score[after[failed]], np.full(len(only_before), np.nan), candidate.score[only_after]
        ),
    )


def bounds(pairs: Pairs, baseline: Scores, candidate: Scores, row: ResultRow) -> tuple[float, float] | None:
    """The difference if every score that is missing were as bad, or as good, for the candidate as the metric allows.

    None where the metric has no bounds.
    """
    low, high = row.min_value, row.max_value
    if low is None or high is None:
        return None
    known = float((candidate.score[pairs.candidate] - baseline.score[pairs.baseline]).sum())
    n = len(pairs) + len(pairs.lost_baseline)
    if not n:
        return None
    before, after = pairs.lost_baseline, pairs.lost_candidate
    least = np.where(np.isnan(after), low, after) - np.where(np.isnan(before), high, before)
    most = np.where(np.isnan(after), high, after) - np.where(np.isnan(before), low, before)
    return (known + float(least.sum())) / n, (known + float(most.sum())) / n


def _matched(baseline: Scores, candidate: Scores) -> tuple[Integers, Integers, PairedBy]:
    """Places of the same sample in both: by subset and id, by id alone, or by position."""
    before, after = _common(baseline.key, candidate.key)
    if len(before):
        return before, after, "id"
    if _unique(baseline.id) and _unique(candidate.id):
        before, after = _common(baseline.id, candidate.id)
        if len(before) and _agree(baseline.target[before], candidate.target[after]):
            return before, after, "id"
    if len(baseline) == len(candidate) >= FEWEST_BY_POSITION and _agree(baseline.target, candidate.target):
        everything = np.arange(len(baseline))
        return everything, everything, "position"
    nothing = np.zeros(0, dtype=np.int64)
    return nothing, nothing, "id"


def _common(before: Integers, after: Integers) -> tuple[Integers, Integers]:
    _, at_before, at_after = np.intersect1d(before, after, assume_unique=True, return_indices=True)
    order = np.argsort(at_before)
    return at_before[order].astype(np.int64), at_after[order].astype(np.int64)


def _other_prompt(baseline: Scores, candidate: Scores, before: Integers, after: Integers) -> Mask:
    """By the recorded hash of what was sent; by the recorded text where there is none."""
    sent_before, sent_after = baseline.prompt[before], candidate.prompt[after]
    known = (sent_before != 0) & (sent_after != 0)
    other: Mask = np.where(known, sent_before != sent_after, baseline.input[before] != candidate.input[after])
    return other


def _unique(values: Integers) -> bool:
    return len(np.unique(values)) == len(values)


def _agree(before: Integers, after: Integers) -> bool:
    """Whether these are the same samples, by their targets; targets that are all alike prove nothing."""
    _, counts = np.unique(before, return_counts=True)
    chance = float(((counts / len(before)) ** 2).sum())
    same = float((before == after).mean())
    return chance < 1 and (same - chance) / (1 - chance) >= SAME_TARGETS


def _joined(*parts: Floats) -> Floats:
    return np.concatenate(parts)
