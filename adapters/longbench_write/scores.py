"""Scores of one text: by metric, a number or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.adapters.longbench_write.folder import Text
from bridge.adapters.longbench_write.quality import DIMENSIONS, dimension_score, metric_of, quality_score
from bridge.report.aggregate import MetricInfo
from bridge.spec import JsonObject

LENGTH = MetricInfo("length_score", "points", 0.0, 100.0)
QUALITY = MetricInfo("quality_score", "points", 0.0, 100.0)
OVERALL = MetricInfo("overall", "points", 0.0, 100.0)
BY_DIMENSION = tuple(MetricInfo(metric_of(name), "points", 0.0, 100.0) for name in DIMENSIONS)

Part = float | str
"""A score, or why there is none."""


def metrics_of(stages: Sequence[str]) -> tuple[MetricInfo, ...]:
    """What the stages score; the first is the one that is quoted."""
    length = (LENGTH,) if "length" in stages else ()
    quality = (QUALITY, *BY_DIMENSION) if "quality" in stages else ()
    return (OVERALL, *length, *quality) if length and quality else (*length, *quality)


def score(text: Text, stages: Sequence[str], unfinished: str) -> dict[str, Part]:
    """By metric; ``unfinished`` is the reason where the job did not come so far."""
    missing = None if "response" in text.answer else text.answer.get("error") or unfinished
    parts: dict[str, Part] = {}
    if "length" in stages:
        parts[LENGTH.name] = missing or text.length.get("score", unfinished)
    if "quality" in stages:
        parts |= _quality(text.judgment, missing, unfinished)
    if LENGTH.name in parts and QUALITY.name in parts:
        parts[OVERALL.name] = _mean(parts[LENGTH.name], parts[QUALITY.name])
    return parts


def _quality(judgment: JsonObject, missing: str | None, unfinished: str) -> Mapping[str, Part]:
    if missing is None and "marks" in judgment:
        marks = judgment["marks"]
        return {QUALITY.name: quality_score(marks)} | {metric_of(name): dimension_score(marks[name]) for name in marks}
    why = missing or judgment.get("error") or unfinished
    return dict.fromkeys((metric.name for metric in (QUALITY, *BY_DIMENSION)), why)


def _mean(length: Part, quality: Part) -> Part:
    if isinstance(length, str):
        return length
    return quality if isinstance(quality, str) else (length + quality) / 2
