"""ToolBench-Static as EvalScope 1.14.1 scores it, faults included, so that published numbers can be compared.

Two versions. ``evalscope`` is its third-party tool ``toolbench_static``: the numbers of its documentation of 2024.
``evalscope_native`` is its own benchmark ``tool_bench``. In both

- a row whose reference calls a tool that is not offered, or gives up, is left out unless the *prediction* gives up:
  the score is conditioned on what is scored;
- a reply that calls nothing has the plan "call", so it is right about every reference that calls something;
- a call of another tool counts among the easy as well as the hard arguments.

They differ in HalluRate (over all rows, or over those kept) and in ROUGE-L (see ``rouge``, or rouge-score on words
split at blanks).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from bridge.adapters.toolbench.metrics import BROKEN_CALL
from bridge.adapters.toolbench.react import FINISH, final_answer, split_action
from bridge.adapters.toolbench.rouge import rouge_l_f

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

Compat = Literal["evalscope", "evalscope_native"]
_TINY = 1e-30


@dataclass(frozen=True, slots=True)
class _Step:
    plan: str
    action: str | None
    arguments: str
    answer: str | None


def cleaned(response: str) -> str:
    """What the third-party tool makes of a reply before it is scored."""
    response = response.removeprefix(": ")
    return "none" if response.strip() in ("", ".", ",") else response


def score(prediction: str, target: str, tools: Collection[str], compat: Compat) -> dict[str, float]:
    """The metrics that this row counts in; a row that is left out is in HalluRate's denominator, or in nothing."""
    wanted, step = _parse(target), _parse(prediction)
    left_out = wanted.action == BROKEN_CALL or (
        step.action is not None and wanted.action != "none" and wanted.action not in tools
    )
    if left_out:
        return {"hallu_rate": 0.0} if compat == "evalscope" else {}
    invented = step.action is not None and step.action != "none" and step.action not in tools
    scores = {"plan_em": float(step.plan == wanted.plan), "hallu_rate": float(invented)}
    if wanted.plan == "finish":
        scores["rouge_l"] = _rouge_l(step.answer or "none", wanted.answer or "", compat)
    elif wanted.plan == "call":
        predicted = "none" if step.action is None else step.action
        scores |= {"act_em": float(predicted == wanted.action), **_f1(predicted, step.arguments, wanted)}
    return scores


def _parse(text: str) -> _Step:
    action, arguments = split_action(text)
    if action != FINISH:
        return _Step("call", "none" if action is None else action, arguments, None)
    try:
        value = json.loads(arguments)
        if value["return_type"] == "give_answer":
            return _Step("finish", action, arguments, final_answer(value))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    return _Step("give up", None, "{}", None)


def _f1(predicted: str, arguments: str, wanted: _Step) -> dict[str, float]:
    if predicted != wanted.action:
        return {"f1_easy": 0.0, "f1_hard": 0.0, "f1": 0.0}
    try:
        reference = json.loads(wanted.arguments)
    except ValueError:
        return {}
    kind = "f1_easy" if reference == {} else "f1_hard"
    overlap = _overlap(arguments, reference)
    return {kind: overlap, "f1": overlap}


def _overlap(arguments: str, reference: Any) -> float:
    try:
        candidate = json.loads(arguments)
        if reference == {}:
            return float(candidate == {})
        hits = 0.0
        for name, value in reference.items():
            if name in candidate:
                hits += 1 if candidate[name] == value else 0.5
        recall, precision = hits / (len(reference) + _TINY), hits / (len(candidate) + _TINY)
        return (2 * recall * precision) / (recall + precision)
    except (ValueError, TypeError, AttributeError, ArithmeticError, LookupError, RecursionError):
        return 0.0


def _rouge_l(answer: str, reference: str, compat: Compat) -> float:
    if compat == "evalscope":
        return rouge_l_f(answer, reference)
    return float(_scorer().score(reference, answer)["rougeL"].fmeasure)


class _Blanks:
    def tokenize(self, text: str) -> list[str]:
        return text.split()


@cache
def _scorer() -> RougeScorer:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], tokenizer=_Blanks())
