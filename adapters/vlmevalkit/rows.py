"""Samples and VLMEvalKit's numbers → rows of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bridge.adapters.vlmevalkit import kit_table
from bridge.adapters.vlmevalkit.families import Family, FromKit, rate_in
from bridge.adapters.vlmevalkit.lines import Left, Line
from bridge.report.aggregate import MetricInfo, ScoredSample, aggregate
from bridge.report.schema import ResultRow, Status

SPLITS = ("test", "validation", "val", "dev")
"""Of several splits the first of these that is there is quoted."""
TOLERANCE = 1e-6
COLUMNS = ("hit", "score", "correct", "match", "is_correct", "accuracy")
"""Where scorers write whether a sample is right, the most telling first."""


@dataclass(frozen=True)
class Scores:
    """One dataset's samples, scored: what stands in the report's rows and beside each sample."""

    left: Left
    family: Family
    units: tuple[tuple[Line, ...], ...]
    """What is scored as one: a sample, or the rotations of a question, the first of which has the score."""

    def of(self, unit: tuple[Line, ...]) -> dict[str, float]:
        if self.family.score is None or self.why_not(unit):
            return {}
        return dict(self.family.score(unit[0]))

    def why_not(self, unit: tuple[Line, ...]) -> str | None:
        """Why a unit has no score."""
        for line in sorted(unit, key=lambda line: line.error is None):
            if line.why_not:
                return line.why_not if len(unit) == 1 else f"rotation {line.index}: {line.why_not}"
        return self.left.error

    def sample(self, unit: tuple[Line, ...], subset: str | None) -> ScoredSample:
        return ScoredSample(unit[0].index, self.of(unit), self.why_not(unit), subset, unit[0].repeat)


def units_of(left: Left, circular: bool) -> tuple[tuple[Line, ...], ...]:
    if not circular:
        return tuple((line,) for line in left.lines)
    groups: dict[tuple[str, int], list[Line]] = {}
    for line in left.lines:
        groups.setdefault((line.group, line.repeat), []).append(line)
    first = sorted(groups.values(), key=lambda group: group[0].offset)
    order = {group[0].group: at for at, group in reversed(list(enumerate(first)))}
    ordered = sorted(first, key=lambda group: (order[group[0].group], group[0].repeat))
    return tuple(tuple(sorted(group, key=lambda line: line.index != line.group)) for group in ordered)


def rows_of(scores: Scores, template: ResultRow) -> list[ResultRow]:
    """All rows of a dataset; exactly one is primary."""
    if scores.left.error or not scores.left.metrics:
        return (
            [_failed(scores, template)] if scores.family.kit_key or scores.left.error else _by_splits(scores, template)
        )
    if scores.family.score is None:
        return _unknown(scores, template)
    return _by_splits(scores, template)


def differences(scores: Scores) -> Iterator[str]:
    """Where VLMEvalKit's overall value is not what its own samples come to."""
    family = scores.family
    if family.score is None or not family.kit_key or scores.left.error:
        return
    for repeat, returned in enumerate(scores.left.metrics):
        told = kit_table.subsets_of([returned], "split")
        splits = {name: units for name, units in _splits(scores.units).items() if name in told}
        whole: dict[str | None, tuple[tuple[Line, ...], ...]] = {None: scores.units}
        for split, units in (splits or whole).items():
            values = [v for u in units if u[0].repeat == repeat for v in list(scores.of(u).values())[:1]]
            theirs = kit_table.overall(returned, family.kit_key, split)
            if not values or theirs is None:
                continue
            ours = sum(values) if family.counted else family.kit_scale * sum(values) / len(values)
            if abs(ours - theirs) > TOLERANCE * max(1.0, family.kit_scale):
                where = f" in split {split}" if split else ""
                yield f"VLMEvalKit's {family.kit_key} is {theirs:g}, its samples come to {ours:g}{where}"


def _by_splits(scores: Scores, template: ResultRow) -> list[ResultRow]:
    """Rows of each split. Of several the one that is quoted comes first, and has the primary row."""
    splits = _splits(scores.units)
    main = next((name for name in SPLITS if name in splits), None) if len(splits) > 1 else next(iter(splits))
    rows: list[ResultRow] = []
    for split in sorted(splits, key=lambda name: name != main):
        here = replace(scores, units=splits[split])
        of_split = _rows(here, template.model_copy(update={"split": split}))
        rows += of_split if split == main else map(_secondary, of_split)
    if len(splits) > 1 and main is None:
        rows = [*_rows(scores, template), *map(_secondary, rows)]
    return rows


def _splits(units: Sequence[tuple[Line, ...]]) -> dict[str | None, tuple[tuple[Line, ...], ...]]:
    """Rows that were refused before VLMEvalKit saw them name no split; they count in every one."""
    names = dict.fromkeys(unit[0].split for unit in units if unit[0].row) or {None: None}
    return {name: tuple(u for u in units if u[0].split == name or not u[0].row) for name in names}


def _rows(scores: Scores, template: ResultRow) -> list[ResultRow]:
    family = scores.family
    rows = list(_means(scores, template, family.metrics, lambda unit: unit[0].subset))
    rows += _categories(scores, template)
    special = [*_counted(scores, template), *_pairs(scores, template), *_from_kit(scores, template)]
    if any(row.primary for row in special):
        rows = list(map(_secondary, rows))
    return sorted([*special, *rows], key=lambda row: not row.primary)


def _means(
    scores: Scores,
    template: ResultRow,
    metrics: Sequence[MetricInfo],
    subset_of: Callable[[tuple[Line, ...]], str | None],
) -> tuple[ResultRow, ...]:
    samples = (scores.sample(unit, subset_of(unit)) for unit in scores.units)
    return aggregate(samples, template=template, metrics=metrics)


def _categories(scores: Scores, template: ResultRow) -> Iterator[ResultRow]:
    """The coarser grouping that some datasets have (``l2-category``)."""
    if any(unit[0].category for unit in scores.units):
        for row in _means(scores, template, scores.family.metrics, lambda unit: unit[0].category):
            if row.subset is not None:
                yield row.model_copy(update={"category": row.subset, "subset": None})


def _counted(scores: Scores, template: ResultRow) -> Iterator[ResultRow]:
    """How many samples are right; of several repeats the mean."""
    metric = scores.family.counted
    if metric is None:
        return
    for row in _means(scores, template, scores.family.metrics, lambda unit: unit[0].subset):
        if row.settings.get("average") != "macro":
            repeats = max(1, len({unit[0].repeat for unit in scores.units}))
            count = None if row.value is None else round(row.value * row.n / repeats, 6)
            yield _renamed(row, metric, count, max_value=(row.n + row.n_errors) / repeats)


def _pairs(scores: Scores, template: ResultRow) -> Iterator[ResultRow]:
    metric = scores.family.pairs
    if metric is None:
        return
    groups: dict[tuple[str, int], list[tuple[Line, ...]]] = {}
    for unit in scores.units:
        groups.setdefault((unit[0].group, unit[0].repeat), []).append(unit)
    samples = [_pair(scores, metric, units) for units in groups.values()]
    yield from aggregate(samples, template=template, metrics=[metric])


def _pair(scores: Scores, metric: MetricInfo, units: list[tuple[Line, ...]]) -> ScoredSample:
    first = units[0][0]
    error = next(filter(None, map(scores.why_not, units)), None)
    values = [value for unit in units for value in list(scores.of(unit).values())[:1]]
    found = {metric.name: min(values)} if values and error is None else {}
    return ScoredSample(first.group, found, error, None, first.repeat)


def _from_kit(scores: Scores, template: ResultRow) -> Iterator[ResultRow]:
    """Metrics that are no means: taken over from VLMEvalKit's table, with the samples that they are about."""
    returned = scores.left.metrics
    for metric in scores.family.from_kit:
        yield _kit_row(scores, template, metric, None)
        for subset in kit_table.subsets_of(returned, metric.by) if metric.by else ():
            yield _kit_row(scores, template, metric, subset)
    if scores.family.points:
        for subset in dict.fromkeys(unit[0].subset for unit in scores.units if unit[0].subset):
            points = FromKit(MetricInfo("points", "points", 0.0, 200.0), subset)
            yield _kit_row(scores, template, points, None).model_copy(
                update={"subset": subset, **_counts(scores, subset)}
            )


def _kit_row(scores: Scores, template: ResultRow, metric: FromKit, subset: str | None) -> ResultRow:
    value = kit_table.value_of(scores.left.metrics, metric, subset)
    counts = _counts(scores, subset)
    status = Status.FAILED if value is None else Status.PARTIAL if counts["n_errors"] else Status.COMPLETE
    row = template.model_copy(update={**counts, "subset": subset, "status": status})
    if value is None:
        row = row.model_copy(update={"reason": f"VLMEvalKit's table has no {metric.key}"})
    elif counts["n_errors"]:
        row = row.model_copy(update={"reason": _why(scores)})
    return _renamed(row, metric.metric, value).model_copy(
        update={"primary": metric.metric.primary and subset is None, "source": f"{template.source}: {metric.key}"}
    )


def _counts(scores: Scores, subset: str | None) -> dict[str, int]:
    """A sample's category may be a list of subsets (POPE)."""
    here = [u for u in scores.units if subset is None or subset in (u[0].subset or "").split(",")]
    n_errors = sum(scores.why_not(unit) is not None for unit in here)
    return {"n": len(here) - n_errors, "n_errors": n_errors}


def _why(scores: Scores) -> str:
    failed = [reason for unit in scores.units if (reason := scores.why_not(unit))]
    return f"{len(failed)} of {len(scores.units)} samples were not scored; first: {failed[0]}" if failed else ""


def explained(scores: Scores) -> Scores:
    """Where nothing is known of a scorer: its overall value may be the mean of a column of zeros and ones."""
    if scores.family.score is not None or not scores.left.metrics or scores.left.error:
        return scores
    found = dict(kit_table.numbers(scores.left.metrics[0]))
    overall = found[kit_table.quoted(list(found))] if found else None
    first = [unit[0] for unit in scores.units if unit[0].repeat == 0 and not scores.why_not(unit)]
    for column in COLUMNS:
        values = [line.details.get(column) for line in first]
        rates = [float(value) for value in values if isinstance(value, int | float) and 0 <= value <= 1]
        if overall is None or not rates or len(rates) < len(values):
            continue
        for scale in (1.0, 100.0):
            if abs(overall - scale * sum(rates) / len(rates)) <= TOLERANCE * scale:
                return replace(scores, family=rate_in(column, scale))
    return scores


def _unknown(scores: Scores, template: ResultRow) -> list[ResultRow]:
    """VLMEvalKit's own numbers under its own names; of datasets that are made of others, the mean is quoted."""
    values: dict[str, list[float]] = {}
    for returned in scores.left.metrics:
        for path, number in kit_table.numbers(returned):
            values.setdefault(path, []).append(number)
    if not values:
        return [_failed(scores, template, "VLMEvalKit's table holds no number")]
    found = {path: sum(numbers) / len(numbers) for path, numbers in values.items()}
    main = kit_table.quoted(list(found))
    alike = [value for path, value in found.items() if path.rsplit("|", 1)[-1] == main.rsplit("|", 1)[-1]]
    if scores.family.name == "several datasets" and len(alike) > 1:
        main = f"mean of {main.rsplit('|', 1)[-1].strip()}"
        found = {main: sum(alike) / len(alike), **found}
    counts = _counts(scores, None)
    status = Status.PARTIAL if counts["n_errors"] else Status.COMPLETE
    shared = template.model_copy(update={**counts, "status": status, "reason": _why(scores) or None})
    rows = [_renamed(shared, MetricInfo(path or "value", "points", None, None), value) for path, value in found.items()]
    told = [row.model_copy(update={"source": f"{template.source}: {row.metric}"}) for row in rows]
    return [row.model_copy(update={"primary": row.metric == (main or "value")}) for row in told]


def _failed(scores: Scores, template: ResultRow, reason: str | None = None) -> ResultRow:
    metric = scores.family.metrics[0]
    if scores.family.score is None:
        metric = MetricInfo("score", "points", None, None)
    for special in (scores.family.counted, scores.family.pairs, *(one.metric for one in scores.family.from_kit)):
        if special is not None and (special.primary or special in (scores.family.counted, scores.family.pairs)):
            metric = special
    reason = reason or scores.left.error or "VLMEvalKit returned no score"
    row = template.model_copy(update={"n": 0, "n_errors": len(scores.units), "status": Status.FAILED, "reason": reason})
    return _renamed(row, metric, None).model_copy(update={"primary": True})


def _renamed(row: ResultRow, metric: MetricInfo, value: float | None, **more: Any) -> ResultRow:
    """The row under another metric; an interval is of the old value only."""
    return row.model_copy(
        update={
            "metric": metric.name,
            "value": value,
            "unit": metric.unit,
            "min_value": metric.min_value,
            "max_value": metric.max_value,
            "higher_is_better": metric.higher_is_better,
            "stderr": None,
            "ci95": None,
            **more,
        }
    )


def _secondary(row: ResultRow) -> ResultRow:
    return row.model_copy(update={"primary": False})
