"""How each family of datasets is scored: what a sample's score is, which metrics there are, and which is quoted.

VLMEvalKit writes choices as 0–1, short answers as 0–100, yes/no as 0–100, MME as 0–200 for a category, OCRBench as
counts. Here rates are fractions; MME's points and OCRBench's count stay what they are.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.adapters.vlmevalkit.catalogue import Entry
from bridge.adapters.vlmevalkit.lines import Line
from bridge.report.aggregate import MetricInfo

ACCURACY = MetricInfo("accuracy")
ANLS_THRESHOLD = 0.5


@dataclass(frozen=True)
class FromKit:
    """A metric that is no mean over samples: it is taken from VLMEvalKit's own table."""

    metric: MetricInfo
    key: str
    """Where it is in a record of what ``evaluate`` returned, or in the mapping; ``a+b`` is a sum."""
    scale: float = 1.0
    """VLMEvalKit's value is divided by this."""
    by: str = ""
    """The column that names the subset of a record; a record whose subset is ``Overall`` stands for everything."""


@dataclass(frozen=True)
class Family:
    """``score`` None: nothing is known of it, and VLMEvalKit's own numbers are reported as they are."""

    name: str
    score: Callable[[Line], Mapping[str, float]] | None = None
    metrics: tuple[MetricInfo, ...] = (ACCURACY,)
    """Means over samples; the first is quoted, unless one of ``from_kit`` is primary."""
    from_kit: tuple[FromKit, ...] = ()
    points: bool = False
    """The remaining numbers of VLMEvalKit's table are points of categories (MME)."""
    pairs: MetricInfo | None = None
    """Quoted instead: a group is right if all of its samples are."""
    counted: MetricInfo | None = None
    """Quoted instead: the number of samples that are right."""
    kit_key: str = "Overall"
    """Where VLMEvalKit has the first of ``metrics``, to be compared; empty: nowhere."""
    kit_scale: float = 100.0
    """VLMEvalKit's value is the metric times this."""


def family_of(entry: Entry, scorer: str | None) -> Family:
    """By the class that scores the dataset, and where that has several ways, by the dataset's name."""
    if scorer is not None:
        return Family(f"custom {scorer}", _by_hit(_CUSTOM[scorer]), (MetricInfo(_CUSTOM[scorer]),), kit_key="")
    if entry.parts:
        return Family("several datasets")
    if entry.circular:
        return Family("rotated choices", _rotated, (MetricInfo("circular_accuracy"),), kit_scale=1.0)
    by_name = _BY_NAME.get(entry.name)
    if by_name is not None:
        return by_name
    if entry.evaluator == "ImageVQADataset":
        return _short_answers(entry.name)
    return _BY_EVALUATOR.get(entry.evaluator, Family("other"))


def _choice(line: Line) -> Mapping[str, float]:
    return _number(line.details.get("hit"), "accuracy")


def _rotated(line: Line) -> Mapping[str, float]:
    """Of the first rotation, which stands for all."""
    return _number(line.details.get("hit"), "circular_accuracy")


def _yes_no(line: Line) -> Mapping[str, float]:
    return _number(line.details.get("score"), "accuracy")


def _by_hit(metric: str) -> Callable[[Line], Mapping[str, float]]:
    return lambda line: _number(line.hit, metric)


def _by_column(column: str, metric: str, scale: float = 1.0) -> Callable[[Line], Mapping[str, float]]:
    def score(line: Line) -> Mapping[str, float]:
        value = line.details.get(column)
        return _number(value / scale if isinstance(value, int | float) else None, metric)

    return score


def _number(value: Any, metric: str) -> Mapping[str, float]:
    return {metric: float(value)} if isinstance(value, int | float) else {}


def rate_in(column: str, scale: float) -> Family:
    """Of a scorer that bridge knows nothing of: its overall value is the mean of a column that it wrote."""
    return Family(f"rate of {column!r}", _by_column(column, "accuracy"), kit_key="", kit_scale=scale)


_CUSTOM = {
    "exact": "exact_match",
    "containment": "containment",
    "numeric": "numeric_match",
    "anls": "anls",
    "math": "math_match",
    "judge": "judge_accuracy",
}


def _short_answers(name: str) -> Family:
    """As ``hit_calculate`` does it: VLMEvalKit's column ``eval_score`` is another thing, and for ANLS a distance."""
    if any(part in name for part in ("DocVQA", "InfoVQA")):
        return Family("anls", lambda line: _matched(line, "anls", _anls), (MetricInfo("anls"),))
    if "ChartQA" in name:
        metric = MetricInfo("relaxed_accuracy")
        return Family("relaxed accuracy", lambda line: _matched(line, metric.name, max), (metric,))
    if "OCRVQA" in name:
        return Family("short answers", lambda line: _matched(line, "accuracy", max))
    if "GQA" in name:
        return Family("short answers", lambda line: _matched(line, "accuracy", _mean))
    return Family("vqa score", lambda line: _matched(line, "vqa_score", _mean), (MetricInfo("vqa_score"),))


def _matched(line: Line, metric: str, of: Callable[[list[float]], float]) -> Mapping[str, float]:
    try:
        matches = [float(match) for match in ast.literal_eval(str(line.details["eval_match"]))]
    except (KeyError, ValueError, SyntaxError, TypeError):
        return {}
    return {metric: of(matches)} if matches else {}


def _anls(distances: list[float]) -> float:
    similarity = 1.0 - min(distances)
    return similarity if similarity >= ANLS_THRESHOLD else 0.0


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _ocr(line: Line) -> Mapping[str, float]:
    """OCRBench keeps no score of a sample; its rule is that a right answer stands in the model's."""
    formula = line.subset == "Handwritten Mathematical Expression Recognition"
    plain = _ocr_formula if formula else _ocr_text
    try:
        answers = ast.literal_eval(str(line.row.get("answer")))
    except (ValueError, SyntaxError):
        return {}
    return {"accuracy": float(any(plain(str(answer)) in plain(line.response) for answer in answers))}


def _ocr_text(text: str) -> str:
    return text.lower().strip().replace("\n", " ")


def _ocr_formula(text: str) -> str:
    return "".join(text.strip().replace("\n", " ").split(" "))


_POPE = Family(
    "yes/no with F1",
    _yes_no,
    from_kit=(
        FromKit(MetricInfo("f1", primary=True), "Overall", 100.0, by="split"),
        FromKit(MetricInfo("precision"), "precision", 100.0, by="split"),
        FromKit(MetricInfo("recall"), "recall", 100.0, by="split"),
    ),
    kit_key="acc",
)
_VSR = Family(
    "yes/no",
    _yes_no,
    from_kit=(
        FromKit(MetricInfo("f1"), "f1_score"),
        FromKit(MetricInfo("precision"), "precision", 100.0),
        FromKit(MetricInfo("recall"), "recall", 100.0),
    ),
    kit_key="acc",
)
_HALLUSION = Family(
    "yes/no in sets",
    _yes_no,
    from_kit=(
        FromKit(MetricInfo("figure_accuracy"), "fAcc", 100.0, by="split"),
        FromKit(MetricInfo("question_accuracy"), "qAcc", 100.0, by="split"),
    ),
    kit_key="aAcc",
)
_MME = Family(
    "MME",
    _yes_no,
    from_kit=(
        FromKit(MetricInfo("mme_score", "points", 0.0, 2800.0, primary=True), "perception+reasoning"),
        FromKit(MetricInfo("perception", "points", 0.0, 2000.0), "perception"),
        FromKit(MetricInfo("reasoning", "points", 0.0, 800.0), "reasoning"),
    ),
    points=True,
    kit_key="",
)
_OCRBENCH = Family("OCRBench", _ocr, counted=MetricInfo("final_score", "count", 0.0, None), kit_key="Final Score")
_HITS = Family("answers read by a judge", _by_hit("accuracy"), kit_key="acc")
_CHOICES = Family("choices", _choice, kit_scale=1.0)
_YES_NO = Family("yes/no", _yes_no)

_BY_NAME: Mapping[str, Family] = {
    "POPE": _POPE,
    "MME": _MME,
    "HallusionBench": _HALLUSION,
    "AMBER": Family(
        "yes/no by kind",
        _yes_no,
        from_kit=(FromKit(MetricInfo("mean_accuracy", primary=True), "Avg ACC", 100.0),),
        kit_key="",
    ),
    "VSR-zeroshot": _VSR,
    "MMVP": Family("choices in pairs", _choice, pairs=MetricInfo("pair_accuracy"), kit_key="Average", kit_scale=1.0),
}
_BY_EVALUATOR: Mapping[str, Family] = {
    "ImageMCQDataset": _CHOICES,
    "MMMUProDataset": _CHOICES,
    "TextMCQDataset": _CHOICES,
    "ImageYORNDataset": _YES_NO,
    "OCRBench": _OCRBENCH,
    "MathVista": _HITS,
    "MathVision": _HITS,
    "LENS": _HITS,
    "OCR_Reasoning": _HITS,
    "MMVet": Family("judged from 0 to 1", _by_column("score", "score"), (MetricInfo("score"),), kit_key="acc"),
}
