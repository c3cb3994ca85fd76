"""Units → rows of the report.  Without failures a value is OpenCompass's own number, to the last digit.

Where requests failed, OpenCompass has scored their placeholders as wrong answers: then the mean is taken again over
the samples that were answered, if its own number is such a mean at all; if it is not, there is no value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum
from typing import Any

from bridge.adapters.opencompass.output import Unit
from bridge.adapters.opencompass.samples import Row, scored
from bridge.adapters.opencompass.samples import rows as rows_of
from bridge.adapters.opencompass.scales import Scale
from bridge.report.aggregate import MetricInfo, aggregate
from bridge.report.schema import ResultRow, Status

_FIRST = ("score", "auc_score", "accuracy", "humaneval_pass@1", "rouge1", "f1", "exact_match")
"""The metric that OpenCompass quotes: the first of these that there is, in this order."""
_PERCENT = ("acc", "score", "rouge", "f1", "exact", "em", "pass@", "bleu", "match", "precision", "recall")
_SAME = 1e-6
_OF_UNIT = ("version", "max_out_len", "evaluator", "postprocessor")
"""Settings that may differ between the parts of a dataset."""


@dataclass(frozen=True)
class Metrics:
    """Names of the metrics, the quoted one first, by what can be said about them."""

    names: tuple[str, ...]
    flags: tuple[str, ...]
    """The one, if any, that is the mean of what the evaluator says about each sample."""
    rated: tuple[str, ...] = ()
    """The one, if any, that is not, and on whose scale a judge's ratings of the samples are all the same."""

    @property
    def of_samples(self) -> tuple[str, ...]:
        return self.flags or self.rated


def alike(units: Sequence[Unit]) -> list[Unit]:
    """The same units; where they have no metric in common, each one's quoted metric is called as most are.

    Benchmarks with several kinds of questions score them with several evaluators: ``accuracy`` here, ``score`` there.
    """
    scored_units = [unit for unit in units if unit.metrics]
    if not scored_units or set.intersection(*(set(unit.metrics) for unit in scored_units)):
        return list(units)
    quoted = [min(unit.metrics, key=_rank) for unit in scored_units]
    common = max(dict.fromkeys(quoted), key=quoted.count)
    return [unit if not unit.metrics or common in unit.metrics else _renamed(unit, common) for unit in units]


def _renamed(unit: Unit, name: str) -> Unit:
    own = min(unit.metrics, key=_rank)
    metrics = {name: unit.metrics[own], **{other: value for other, value in unit.metrics.items() if other != own}}
    return replace(unit, metrics=metrics, told={**unit.told, "metric": own})


def _rank(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def metrics_of(units: Sequence[Unit]) -> Metrics:
    scored_units = [unit for unit in units if unit.metrics]
    names = list(dict.fromkeys(name for unit in scored_units for name in unit.metrics))
    names.sort(key=_rank)
    # A detail has one flag. Where several metrics have its mean, that is chance for all but the first.
    scale = _scale_of(units)
    flags = [name for name in names if all(_is_mean_of_flags(unit, name) for unit in scored_units)][:1]
    if scale and (flags != [scale.quoted] or any(unit.unjudged_kinds for unit in scored_units)):
        flags = []
    rated = [scale.quoted] if scale and scale.of_samples else []
    return Metrics(tuple(names or ([scale.quoted] if scale else [])), tuple(flags), tuple(rated))


def _is_mean_of_flags(unit: Unit, name: str) -> bool:
    flags = [detail.correct for detail in unit.details if not (unit.of_judged and detail.unjudged)]
    known = [flag for flag in flags if flag is not None]
    if name not in unit.metrics or not known or len(known) != len(flags):
        return False
    means = [unit.full * fsum(known) / len(known)]
    if unit.repeats > 1:
        # Without details of its own an evaluator reports the last repeat alone.
        means.append(unit.full * fsum(known[-unit.samples :]) / unit.samples)
    return any(abs(unit.metrics[name] - mean) < _SAME for mean in means)


def rows(units: Sequence[Unit], metrics: Metrics, template: ResultRow, marker: str) -> list[ResultRow]:
    """The quoted metric's overall row first."""
    found: list[ResultRow] = []
    for name in metrics.names or ("accuracy",):
        own = template.model_copy(update={"metric": name})
        by_flags = name in metrics.flags or not metrics.names
        found += _of_flags(units, name, own, marker) if by_flags else _of_numbers(units, name, own, marker)
    return [row.model_copy(update={"primary": not at}) for at, row in enumerate(found)]


def _of_flags(units: Sequence[Unit], name: str, template: ResultRow, marker: str) -> Iterator[ResultRow]:
    made = aggregate(
        (sample for unit in units for sample in scored(unit, (name,), marker)),
        template=template,
        metrics=[_info(name, _scale_of(units))],
        average="macro",
    )
    # Its numbers are divided last, as by hand: a mean of fractions may differ in the last digit.
    numbers = {unit.subset: unit.metrics[name] for unit in units if name in unit.metrics and unit.repeats == 1}
    for row in made:
        unit = _unit_of(row, units)
        if row.status is not Status.COMPLETE or row.metric != name:
            yield _with_unit(row, unit)
        elif unit is not None and unit.subset in numbers:
            yield _with_unit(row, unit).model_copy(update={"value": numbers[unit.subset] / unit.full})
        elif unit is None and len(numbers) == len(units):
            yield row.model_copy(update={"value": sum(numbers.values()) / len(numbers) / units[0].full})
        else:
            yield _with_unit(row, unit)


def _info(name: str, scale: Scale | None) -> MetricInfo:
    if scale is None:
        return MetricInfo(name, primary=True)
    return MetricInfo(name, scale.unit, scale.low, scale.high, primary=True)


def _of_numbers(units: Sequence[Unit], name: str, template: ResultRow, marker: str) -> Iterator[ResultRow]:
    """OpenCompass's number as it stands, or none where it counts samples that were not answered."""
    each = [_number_row(unit, name, template, marker) for unit in units]
    if len(each) == 1:
        yield each[0].model_copy(update={"subset": None})
        return
    values = [row.value for row in each if row.value is not None]
    whole = len(values) == len(each)
    missing = "" if whole else f"{len(each) - len(values)} of {len(each)} subsets have no value"
    reasons = [missing, *(row.reason for row in each if row.reason)]
    overall = template.model_copy(
        update={
            **_bounds(name, max((unit.metrics.get(name, 0.0) for unit in units), default=0.0), _scale_of(units)),
            "value": sum(values) / len(values) if whole else None,
            "n": sum(row.n for row in each),
            "n_errors": sum(row.n_errors for row in each),
            "settings": {**template.settings, "average": "macro"},
            "status": _worst(each) if values else Status.FAILED,
            "reason": "; ".join(list(filter(None, reasons))[:2]) or None,
        }
    )
    yield overall
    yield from each


def _worst(each: Sequence[ResultRow]) -> Status:
    return Status.COMPLETE if all(row.status is Status.COMPLETE for row in each) else Status.PARTIAL


def _scale_of(units: Sequence[Unit]) -> Scale | None:
    return next((unit.scale for unit in units if unit.scale), None)


def _number_row(unit: Unit, name: str, template: ResultRow, marker: str) -> ResultRow:
    every = _about(unit, name, list(rows_of(unit, (), marker)))
    failed = [row for row in every if row.error is not None]
    total, number = max(1, len(every)), unit.metrics.get(name)
    why = _no_number(unit, name, len(failed), total)
    is_none = bool(why) or len(failed) == total
    reason = why
    if failed:
        reason = f"{len(failed)} of {total} samples have no score{f', and {why}' if why else ''}"
        reason += f"; first: {failed[0].error}"
    bounds = _bounds(name, number or 0.0, unit.scale)
    divisor = unit.full if bounds["unit"] == "fraction" else 1
    row = template.model_copy(
        update={
            **bounds,
            "subset": unit.subset,
            "value": None if is_none or number is None else number / divisor,
            "n": 0 if is_none else total - len(failed),
            "n_errors": total if is_none else len(failed),
            "status": Status.FAILED if is_none else Status.PARTIAL if failed else Status.COMPLETE,
            "reason": reason or None,
        }
    )
    return _with_unit(row, unit)


def _about(unit: Unit, name: str, every: list[Row]) -> list[Row]:
    """Where a judge rates, metrics may be named after a kind of questions: then those of that kind."""
    if not unit.of_judged:
        return every
    golds = [detail.target if isinstance(detail.target, dict) else {} for detail in unit.details]
    return [row for row, gold in zip(every, golds, strict=True) if name in _texts(gold)] or every


def _texts(gold: Mapping[str, Any]) -> list[str]:
    return [value for value in gold.values() if isinstance(value, str)]


def _no_number(unit: Unit, name: str, n_failed: int, total: int) -> str:
    """Why OpenCompass's number, if there is one, is not the value."""
    if n_failed and not unit.of_judged:
        return f"{name} cannot be taken from the others alone"
    if n_failed == total:
        return ""
    if unit.unjudged_kinds and not any(name in _texts(detail.target or {}) for detail in unit.details):
        return f"none of {', '.join(unit.unjudged_kinds[:3])} has been judged, and {name} is over all kinds"
    return "" if name in unit.metrics else f"OpenCompass reports no {name} here"


def _bounds(name: str, number: float, scale: Scale | None) -> dict[str, Any]:
    """Percentages become fractions; of other numbers OpenCompass does not say what they mean."""
    if scale is not None and not name.endswith("_count"):
        return {"unit": scale.unit, "min_value": scale.low, "max_value": scale.high}
    if any(part in name.lower() for part in _PERCENT) and 0 <= number <= 100:
        return {"unit": "fraction", "min_value": 0.0, "max_value": 1.0}
    return {"unit": "points", "min_value": None, "max_value": None}


def _unit_of(row: ResultRow, units: Sequence[Unit]) -> Unit | None:
    """The unit that a row is about alone."""
    if row.subset is None and len(units) > 1:
        return None
    return next(unit for unit in units if len(units) == 1 or unit.subset == row.subset)


def _with_unit(row: ResultRow, unit: Unit | None) -> ResultRow:
    if unit is None:
        return row
    number = unit.metrics.get(row.metric)
    settings = {
        **row.settings,
        **{name: unit.told[name] for name in _OF_UNIT if unit.told.get(name) is not None},
        **({"opencompass_value": number} if number is not None else {}),
        **({"opencompass_metric": unit.told["metric"]} if "metric" in unit.told else {}),
    }
    return row.model_copy(update={"settings": settings, "source": f"{row.source}/{unit.source}#{row.metric}"})
