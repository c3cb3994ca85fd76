"""What models answered, from files of several tools, and as the judges get to see it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.errors import Problem, SpecError, did_you_mean
from bridge.native.answer import without_thinking
from bridge.native.arena.questions import id_of
from bridge.native.readers import DataError, Line, read_rows

FAILED_MARKS = frozenset({"$ERROR$", "API_ERROR_OUTPUT"})
"""What FastChat and arena-hard write down where no answer came."""
_HEADER = re.compile(r"^#{1,6}\s", re.M)
_LIST = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s", re.M)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")
_FENCE = re.compile(r"^```.*?^```", re.M | re.S)
MODELS = ("model_id", "model", "generator")


@dataclass(frozen=True)
class Answer:
    """One model's answers to one question, turn by turn; None where a turn has none, and ``problem`` says why."""

    turns: tuple[str | None, ...]
    problem: str = ""

    def up_to(self, turn: int) -> tuple[str, ...] | None:
        """The answers to the turns 1 to ``turn``; None where one is missing."""
        texts = tuple(text for text in self.turns[:turn] if text is not None)
        return texts if len(texts) == turn else None


MISSING = Answer((), "there is no answer")


@dataclass
class Answers:
    """One model's answers, by question id."""

    model: str
    of: dict[str, Answer] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def get(self, question_id: str) -> Answer:
        return self.of.get(question_id, MISSING)


def read_answers(path: Path, model: str, texts: Mapping[str, str]) -> Answers:
    """The file's answers of ``model``; of a file that holds one model's answers only, that model's.

    ``texts``: first turn → question id, for rows that name the question by its text. Raises SpecError.
    """
    found, problems, named = Answers(model), list[Problem](), dict[str, list[Line]]()
    try:
        for line in read_rows(path):
            if line.problem:
                problems.append(Problem(f"{path}:{line.number}", "", line.problem))
            else:
                named.setdefault(str(next((line.row[n] for n in MODELS if n in line.row), model)), []).append(line)
    except DataError as error:
        problems.append(Problem("", "models", str(error)))
    if model not in named and len(named) > 1:
        hint = did_you_mean(model, named) or f"there are: {', '.join(sorted(named)[:8])}"
        problems.append(Problem(str(path), "", f"holds answers of several models, and none of {model!r}", hint))
    if problems:
        raise SpecError(problems[:20])
    rows = named.get(model) or next(iter(named.values()), [])
    for line in rows:
        _take(found, path, line, texts)
    if not rows:
        raise SpecError([Problem(str(path), "", "holds no answers")])
    return found


def _take(found: Answers, path: Path, line: Line, texts: Mapping[str, str]) -> None:
    row = line.row
    question_id = texts.get(str(row.get("instruction"))) or id_of(row) or str(row.get("sample_id") or "")
    if not question_id:
        raise SpecError([Problem(f"{path}:{line.number}", "", "does not say which question it answers")])
    answer = answer_of(row)
    turn = _turn(row)
    if turn > 1 and question_id in found.of:
        before = found.of[question_id]
        turns = (*before.turns[: turn - 1], *[None] * (turn - 1 - len(before.turns)), *answer.turns)
        answer = Answer(turns, before.problem or answer.problem)
    elif question_id in found.of and found.of[question_id] != answer:
        found.notes.append(f"{path}:{line.number}: a second answer to question {question_id}; this one counts")
    found.of[question_id] = answer


def _turn(row: Mapping[str, Any]) -> int:
    """Of bridge's own records, which have a line for each turn."""
    metadata = row.get("metadata")
    turn = metadata.get("turn") if isinstance(metadata, dict) and "sample_id" in row else None
    return turn if isinstance(turn, int) else 1


def answer_of(row: Mapping[str, Any]) -> Answer:
    """The answer in a row of any form."""
    if row.get("error"):
        return Answer((None,), " ".join(str(row["error"]).split())[:200])
    turns = tuple(map(_text, _turns(row)))
    problem = next((why for text, why in turns if text is None), "")
    return Answer(tuple(text for text, _ in turns), problem)


def _turns(row: Mapping[str, Any]) -> list[Any]:
    choices = row.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        turns = choices[0].get("turns")
        return turns if isinstance(turns, list) else [turns]
    messages = row.get("messages")
    if isinstance(messages, list):
        return [one.get("content") for one in messages if isinstance(one, dict) and one.get("role") == "assistant"]
    return [next((row[name] for name in ("response", "answer", "output", "text") if name in row), None)]


def _text(value: object) -> tuple[str | None, str]:
    """The text as judges see it, or None and why there is none."""
    if isinstance(value, dict):
        value = value.get("content", value.get("answer"))
    if isinstance(value, dict):
        value = value.get("answer")
    if value is None:
        return None, "the answer is null"
    if not isinstance(value, str):
        return None, f"the answer is no text but {type(value).__name__}: {str(value)[:40]}"
    if value.strip() in FAILED_MARKS:
        return None, f"the answer is {value.strip()}, the mark of a request that failed"
    text = without_thinking(value).answer
    return (text, "") if text.strip() else (None, "the answer is empty")


def sha256(texts: tuple[str, ...]) -> str:
    """Of the answers to one or more turns."""
    whole = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        whole.update(b"%d:" % len(data) + data)
    return whole.hexdigest()


def style(texts: tuple[str, ...]) -> dict[str, int]:
    """Marks of Markdown outside of code blocks."""
    text = _FENCE.sub("", "\n".join(texts))
    return {name: len(mark.findall(text)) for name, mark in (("headers", _HEADER), ("lists", _LIST), ("bold", _BOLD))}
