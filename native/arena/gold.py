"""Pairs of answers of which it is known which one is better: what judges are measured on before they are paid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bridge.errors import Problem, SpecError
from bridge.native.readers import DataError, read_rows

Label = Literal["first", "second", "tie"]
QUESTIONS = ("question", "instruction", "input", "prompt")
ANSWERS = (("output_1", "output_2"), ("answer_a", "answer_b"), ("response1", "response2"), ("chosen", "rejected"))
LABELS: Mapping[str, Label] = {
    **dict.fromkeys(("1", "a", "model_a", "first", "output_1", "answer_a"), "first"),
    **dict.fromkeys(("2", "b", "model_b", "second", "output_2", "answer_b"), "second"),
    **dict.fromkeys(("0", "tie", "tie (bothbad)", "c"), "tie"),
}
_MOST = 20


@dataclass(frozen=True)
class Pair:
    """One question, two answers, and which one is better."""

    turns: tuple[str, ...]
    first: tuple[str, ...]
    second: tuple[str, ...]
    label: Label
    category: str | None = None


@dataclass(frozen=True)
class Gold:
    pairs: list[Pair]
    left_out: list[str]
    """Places of rows with an answer that is empty or no text."""


def read_gold(path: Path) -> Gold:
    """LLMBar's, PandaLM's, or plain rows (``question, answer_a, answer_b, winner``). Raises SpecError."""
    pairs: list[Pair] = []
    left_out: list[str] = []
    problems: list[Problem] = []
    try:
        for row in read_rows(path):
            try:
                pairs.append(_pair(row.row if not row.problem else _wrong(row.problem)))
            except _NoAnswer:
                left_out.append(f"{path}:{row.number}")
            except ValueError as error:
                problems.append(Problem(f"{path}:{row.number}", "", str(error)))
    except DataError as error:
        problems.append(Problem("--gold", "", str(error)))
    if not pairs and not problems:
        problems.append(Problem(str(path), "", "holds no pairs"))
    if problems:
        raise SpecError(problems[:_MOST])
    return Gold(pairs, left_out)


class _NoAnswer(Exception):
    pass


def _wrong(problem: str) -> Mapping[str, Any]:
    raise ValueError(problem)


def _pair(row: Mapping[str, Any]) -> Pair:
    question = _question(row)
    for one, other in ANSWERS:
        if one in row and other in row:
            if not all(isinstance(text, str) and text.strip() for text in (row[one], row[other])):
                raise _NoAnswer
            label = "first" if one == "chosen" else _label(row)
            category = row.get("category")
            return Pair((question,), (row[one],), (row[other],), label, None if category is None else str(category))
    raise ValueError(f"there are no two answers; known: {', '.join(' and '.join(pair) for pair in ANSWERS)}")


def _question(row: Mapping[str, Any]) -> str:
    parts = [row[name] for name in QUESTIONS if isinstance(row.get(name), str) and row[name].strip()]
    if not parts:
        raise ValueError(f"there is no question; one of {', '.join(QUESTIONS)} is to hold it")
    # PandaLM has an instruction and its input.
    return "\n\n".join(parts[:2]) if "instruction" in row else str(parts[0])


def _label(row: Mapping[str, Any]) -> Label:
    people = [str(row[name]) for name in sorted(row) if name.startswith("annotator")]
    given = next((row[name] for name in ("label", "winner", "preference") if name in row), None)
    if given is None and people:
        return _majority([LABELS.get(vote, "tie") for vote in people])
    label = LABELS.get(str(given).strip().lower())
    if label is None:
        raise ValueError(f"the better answer is {given!r}; known: 1, 2, model_a, model_b, tie (as label or winner)")
    return label


def _majority(labels: list[Label]) -> Label:
    best: Label = "tie"
    for label in labels:
        if labels.count(label) * 2 > len(labels):
            best = label
    return best
