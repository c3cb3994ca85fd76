"""ToolBench-Static, scored: a prediction's step against the reference's.

Which metrics a row has, and whether it is scored at all, depends on the reference alone. EvalScope's own versions, for
comparison with published numbers, are in ``evalscope``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from bridge.adapters.toolbench.react import FINISH, Step, parse_step

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

BROKEN_CALL = "invalid_hallucination_function_name"
"""What the data has for a tool where its author could not tell which one was called."""
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+", re.UNICODE)


def why_left_out(reference: Step, tools: Collection[str]) -> str:
    """Why a row says nothing about a model, whatever it answers; empty where it does."""
    if reference.plan == "none":
        return "the reference calls nothing"
    if reference.action == BROKEN_CALL:
        return "the reference calls an invalid name"
    if reference.action not in (None, FINISH) and reference.action not in tools:
        return "the reference calls a tool that is not offered"
    return ""


def applicable(reference: Step) -> tuple[str, ...]:
    """The metrics of a row."""
    names = ["plan_em", "hallu_rate"]
    if reference.plan == "finish":
        names.append("rouge_l")
    if reference.plan == "call":
        names += ["act_em", "act_em_args"]
        arguments = as_object(reference.arguments)
        if arguments is not None:
            names += ["f1", "f1_hard" if arguments else "f1_easy"]
    return tuple(names)


def score(prediction: str, reference: Step, tools: Collection[str]) -> dict[str, float]:
    """All applicable metrics of one prediction."""
    step = parse_step(prediction)
    scores = {"plan_em": float(step.plan == reference.plan), "hallu_rate": float(is_invented(step, tools))}
    if reference.plan == "finish":
        scores["rouge_l"] = rouge_l(step.answer, reference.answer or "") if step.answer is not None else 0.0
    if reference.plan == "call":
        scores |= _of_call(step, reference)
    return {name: scores[name] for name in applicable(reference)}


def is_invented(step: Step, tools: Collection[str]) -> bool:
    """It calls a tool that is not offered."""
    return step.plan == "call" and step.action not in tools


def f1(predicted: str, reference: Mapping[str, Any]) -> float:
    """Overlap of a call's arguments: an equal value counts 1, another value of the right name a half.

    Recall is over the reference's names, precision over the predicted ones. No arguments where none are wanted is 1.
    """
    arguments = as_object(predicted)
    if arguments is None:
        return 0.0
    if not reference or not arguments:
        return float(reference == arguments)
    hits = sum(1.0 if same(arguments[name], reference[name]) else 0.5 for name in reference if name in arguments)
    recall, precision = hits / len(reference), hits / len(arguments)
    return 2 * recall * precision / (recall + precision) if hits else 0.0


def rouge_l(answer: str, reference: str) -> float:
    """F measure of the longest common subsequence of words; a CJK character is a word, case does not count."""
    if words_of(answer) == words_of(reference):
        return 1.0
    return float(_scorer().score(reference, answer)["rougeL"].fmeasure)


def words_of(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def as_object(text: str) -> dict[str, Any] | None:
    """Arguments as written → JSON object; None where they are none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are, true and 1 are not."""
    return bool(_typed(one) == _typed(other))


def _typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _typed(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_typed(inner) for inner in value]
    return ("boolean", value) if isinstance(value, bool) else value


def _of_call(step: Step, reference: Step) -> dict[str, float]:
    named = step.plan == "call" and step.action == reference.action
    wanted = as_object(reference.arguments)
    overlap = f1(step.arguments, wanted) if named and wanted is not None else 0.0
    exact = named and _same_arguments(step.arguments, reference.arguments)
    return {
        "act_em": float(named),
        "act_em_args": float(exact),
        "f1": overlap,
        "f1_easy": overlap,
        "f1_hard": overlap,
    }


def _same_arguments(one: str, other: str) -> bool:
    """Equal as JSON, or letter by letter where the reference's are no JSON."""
    left, right = as_object(one), as_object(other)
    return one == other if right is None else left is not None and same(left, right)


class _Words:
    """What ``rouge_score`` asks of a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return words_of(text)


@cache
def _scorer() -> RougeScorer:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], tokenizer=_Words())
