"""What a judge said about a sample, in the details of the evaluators that ask one.

``GenericLLMEvaluator`` leaves its answer as the detail's ``prediction``, ``CascadeEvaluator`` beside what the rules
said.
"""

from __future__ import annotations

import re
from typing import Any

_RIGHT_OR_WRONG = re.compile(r"(A|B)")
_READABLE = re.compile(r"\W*(?:[A-C]|CORRECT|INCORRECT)\b", re.IGNORECASE)


def of(entry: dict[str, Any], repeat: int) -> str | None:
    """The judge's answer; None where none was asked."""
    found = _one(entry.get("llm_evaluation"), repeat) if "rule_evaluation" in entry else entry
    if not isinstance(found, dict):
        return None
    if found is entry and not {"prediction", "gold"} <= entry.keys():
        return None
    word = next((found[name] for name in ("prediction", "llm_judge") if name in found), None)
    said = _one(word, repeat)
    return None if said is None else str(said)


def is_right(word: str) -> bool:
    """As OpenCompass reads it: the first A or B that there is, wherever it stands."""
    found = _RIGHT_OR_WRONG.search(word)
    return found is not None and found.group() == "A"


def is_readable(word: str) -> bool:
    """It begins with a verdict, rather than with something that happens to hold a letter."""
    return _READABLE.match(word) is not None


def was_right_without(entry: dict[str, Any], repeat: int) -> bool:
    """The rules had found the answer right, so that the judge's word does not matter."""
    rules = _one(entry.get("rule_evaluation"), repeat)
    return isinstance(rules, dict) and bool(rules.get("correct"))


def _one(value: Any, repeat: int) -> Any:
    if isinstance(value, list):
        return value[repeat] if repeat < len(value) else None
    return value
