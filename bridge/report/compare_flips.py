"""The samples on which two columns differ: which ones, why, and what their answers look like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from bridge.report.compare_pairs import Pairs
from bridge.report.compare_schema import Answer, Flip, Reason, Symptoms
from bridge.report.compare_scores import TRUNCATED, UNPARSED, Scores, score_in
from bridge.report.paired import Floats, Integers
from bridge.report.schema import SampleRecord

REASONS: tuple[Reason, ...] = ("scoring", "extraction", "prompt", "answer")
MAX_TEXT = 400
"""Characters of an answer that are shown: its end, where most answers say what they come to."""
Bytes = npt.NDArray[np.uint8]


def why_different(baseline: Scores, candidate: Scores, pairs: Pairs) -> Bytes:
    """Index into ``REASONS`` per pair: the first stage on the way from question to score at which the sides part.

    Equal answers leave extraction and scoring; unequal ones come from unequal prompts, or else from the model (another
    model, other settings, chance).
    """
    before, after = pairs.baseline, pairs.candidate
    same_answer = baseline.response[before] == candidate.response[after]
    same_extracted = baseline.extracted[before] == candidate.extracted[after]
    same_prompt = baseline.input[before] == candidate.input[after]
    return np.where(
        same_answer, np.where(same_extracted, 0, 1), np.where(same_prompt, REASONS.index("answer"), 2)
    ).astype(np.uint8)


def counted(reasons: Bytes, change: Floats) -> dict[Reason, int]:
    counts = Counter(reasons[change != 0].tolist())
    return {name: counts[at] for at, name in enumerate(REASONS) if counts[at]}


def flips(
    baseline: Scores, candidate: Scores, pairs: Pairs, chosen: Integers, reasons: Bytes, metric: tuple[str, str]
) -> Iterable[Flip]:
    """The chosen pairs with both answers, read from the files."""
    for at in chosen:
        before = baseline.record(int(pairs.baseline[at]))
        after = candidate.record(int(pairs.candidate[at]))
        yield Flip(
            sample_id=before.sample_id,
            subset=before.subset,
            target=None if before.target is None else _text(before.target),
            reason=REASONS[int(reasons[at])],
            baseline=_answer(before, metric[0], float(baseline.score[pairs.baseline[at]])),
            candidate=_answer(after, metric[1], float(candidate.score[pairs.candidate[at]])),
        )


def largest(gain: Floats, limit: int, *, lost: bool) -> Integers:
    """The pairs with the largest losses, or gains, at most ``limit``; in the file's order where they are alike."""
    size = -gain if lost else gain
    found = np.flatnonzero(size > 0)
    return found[np.argsort(-size[found], kind="stable")][:limit].astype(np.int64)


def symptoms(baseline: Scores, candidate: Scores, pairs: Pairs, lost: npt.NDArray[np.bool_]) -> Symptoms:
    before, after = baseline.flags[pairs.baseline], candidate.flags[pairs.candidate]
    return Symptoms(
        unparsed_baseline=_count(before, UNPARSED) if _records_extraction(baseline) else None,
        unparsed_candidate=_count(after, UNPARSED) if _records_extraction(candidate) else None,
        truncated_baseline=_count(before, TRUNCATED),
        truncated_candidate=_count(after, TRUNCATED),
        lost_unparsed=_count(after[lost], UNPARSED) if _records_extraction(candidate) else None,
        lost_truncated=_count(after[lost], TRUNCATED),
    )


def _records_extraction(scores: Scores) -> bool:
    """A framework that never says what it read out of an answer would seem to have read nothing."""
    return bool(((scores.flags & UNPARSED) == 0).any())


def _count(flags: Bytes, flag: int) -> int:
    return int(((flags & flag) > 0).sum())


def _answer(record: SampleRecord, metric: str, mean: float) -> Answer:
    """The first of several answers, with the mean score of all."""
    own = score_in(record.scores, metric)
    return Answer(
        score=mean if own is None or record.repeat == 0 else own,
        extracted=None if record.extracted is None else _text(record.extracted),
        response=None if record.response is None else _end(record.response),
        finish_reason=record.finish_reason,
    )


def _text(value: object) -> str:
    return _end(value if isinstance(value, str) else repr(value))


def _end(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"…{text[1 - MAX_TEXT :]}"
