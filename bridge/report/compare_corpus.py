"""Metrics of a whole set (corpus BLEU, macro F1), which are no means over samples: a paired bootstrap.

Each is a function of sums over samples. Samples are drawn with replacement, the same on both sides, the sums made anew
and the metric with them. It is used where the metric, recomputed from the records, is the value that the report has:
then it is the same metric, whatever framework has made it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from bridge.report.compare_pairs import Pairs
from bridge.report.compare_scores import Scores
from bridge.report.paired import Floats, Integers
from bridge.report.schema import ResultRow, SampleRecord

DRAWS = 2_000
CHUNK = 50
"""Draws at a time: of 200,000 samples 80 MB."""
SEED = 42
MAX_CLASSES = 64
AGREE = 1e-4
"""Relative difference up to which the recomputed value is the reported one: reports are rounded."""


@dataclass(frozen=True)
class WholeSet:
    """The difference of a metric of the whole set, over the pairs."""

    baseline: float
    candidate: float
    ci95: tuple[float, float]
    p_value: float
    stderr: float

    @property
    def difference(self) -> float:
        return self.candidate - self.baseline


@dataclass(frozen=True)
class _Metric:
    sums: tuple[Floats, Floats]
    """Per sample, what is added up; of each side."""
    value: Callable[[Floats], float]
    """Of added sums; NaN where there is none."""


def whole_set(
    rows: tuple[ResultRow, ResultRow], scores: tuple[Scores, Scores], pairs: Pairs, unit: Integers
) -> WholeSet | None:
    """None where the metric is none that is known here, or not recomputable from the records.

    ``unit`` numbers what is drawn: the samples, or their clusters.
    """
    name = rows[0].metric.lower().replace("-", "_")
    make = next((made for part, made in _KNOWN.items() if part in name), None)
    if make is None or any((one.scored > 1).any() for one in scores):
        return None
    everything = [_records(one, np.arange(len(one))) for one in scores]
    known = [[record for record in records if record.response is not None] for records in everything]
    scale = next((s for s in (1.0, 0.01, 100.0) if _reproduces(make, known, rows, s)), None)
    if scale is None:
        return None
    both = [_records(one, at) for one, at in zip(scores, (pairs.baseline, pairs.candidate), strict=True)]
    metric = make(both[0], both[1])
    return None if metric is None else _bootstrapped(metric, unit, scale)


def _reproduces(
    make: _Maker, known: Sequence[Sequence[SampleRecord]], rows: tuple[ResultRow, ResultRow], scale: float
) -> bool:
    for records, row in zip(known, rows, strict=True):
        metric = make(records, records)
        if metric is None or row.value is None:
            return False
        value = scale * metric.value(metric.sums[0].sum(axis=0))
        if not abs(value - row.value) <= AGREE * max(abs(row.value), 0.01):
            return False
    return True


def _bootstrapped(metric: _Metric, unit: Integers, scale: float) -> WholeSet:
    summed = [_by_unit(sums, unit) for sums in metric.sums]
    before, after = (scale * metric.value(sums.sum(axis=0)) for sums in summed)
    units = len(summed[0])
    draw = np.random.default_rng(SEED)
    drawn: list[float] = []
    for _ in range(DRAWS // CHUNK):
        weights = draw.multinomial(units, np.full(units, 1 / units), size=CHUNK).astype(np.float64)
        olds, news = (weights @ sums for sums in summed)
        drawn += [scale * (metric.value(new) - metric.value(old)) for old, new in zip(olds, news, strict=True)]
    found = np.asarray(drawn)
    low, high = (float(end) for end in np.quantile(found, (0.025, 0.975)))
    beyond = min(int((found <= 0).sum()), int((found >= 0).sum()))
    p_value = min(1.0, 2 * (beyond + 1) / (DRAWS + 1))
    return WholeSet(before, after, (low, high), p_value, float(found.std(ddof=1)))


def _by_unit(sums: Floats, unit: Integers) -> Floats:
    added = np.zeros((int(unit.max()) + 1, sums.shape[1]))
    np.add.at(added, unit, sums)
    return added


def _records(scores: Scores, places: npt.NDArray[np.integer]) -> list[SampleRecord]:
    found = []
    with scores.path.open("rb") as file:
        for at in places:
            file.seek(int(scores.offset[at]))
            found.append(SampleRecord.model_validate_json(file.readline()))
    return found


# The metrics -------------------------------------------------------------------------------------------------------

_Maker = Callable[[Sequence[SampleRecord], Sequence[SampleRecord]], _Metric | None]


def _bleu(before: Sequence[SampleRecord], after: Sequence[SampleRecord]) -> _Metric | None:
    """Corpus BLEU as sacrebleu has it, on its scale of 100."""
    if not all(isinstance(record.target, str) for records in (before, after) for record in records):
        return None
    return _Metric((_bleu_sums(before), _bleu_sums(after)), _bleu_of)


def _bleu_sums(records: Sequence[SampleRecord]) -> Floats:
    from sacrebleu.metrics.bleu import BLEU

    bleu = BLEU(effective_order=True)
    found = np.zeros((len(records), 10))
    for at, record in enumerate(records):
        score = bleu.sentence_score(_said(record), [str(record.target)])
        found[at] = [score.sys_len, score.ref_len, *score.counts, *score.totals]
    return found


def _bleu_of(sums: Floats) -> float:
    from sacrebleu.metrics.bleu import BLEU

    counts = [int(part) for part in np.rint(sums)]
    return float(BLEU.compute_bleu(counts[2:6], counts[6:], counts[0], counts[1], smooth_method="exp").score)


def _said(record: SampleRecord) -> str:
    return record.extracted if isinstance(record.extracted, str) else record.response or ""


def _macro_f1(before: Sequence[SampleRecord], after: Sequence[SampleRecord]) -> _Metric | None:
    """Mean of the classes' F1, over all classes that are a target or an answer."""
    names = sorted({name for records in (before, after) for record in records for name in _classes(record)})
    if len(names) > MAX_CLASSES:
        return None
    numbers = {name: at for at, name in enumerate(names)}
    sums = tuple(_confusion(records, numbers) for records in (before, after))
    return _Metric((sums[0], sums[1]), partial(_f1_of, len(names)))


def _classes(record: SampleRecord) -> tuple[str, str]:
    return str(record.target).strip(), str(record.extracted).strip()


def _confusion(records: Sequence[SampleRecord], numbers: dict[str, int]) -> Floats:
    """True positives, then answers, then targets, of every class."""
    n = len(numbers)
    found = np.zeros((len(records), 3 * n))
    for at, record in enumerate(records):
        target, answer = (numbers[name] for name in _classes(record))
        found[at, target] += target == answer
        found[at, n + answer] += 1
        found[at, 2 * n + target] += 1
    return found


def _f1_of(n: int, sums: Floats) -> float:
    right, answers, targets = sums[:n], sums[n : 2 * n], sums[2 * n :]
    seen = answers + targets > 0
    return float((2 * right[seen] / (answers + targets)[seen]).mean()) if seen.any() else float("nan")


_KNOWN: dict[str, _Maker] = {"bleu": _bleu, "macro_f1": _macro_f1, "f1_macro": _macro_f1}
"""By a part of the metric's name."""
