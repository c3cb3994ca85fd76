"""What models answered, from files of several tools, and as the judges get to see it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bridge.errors import Problem, SpecError, did_you_mean
from bridge.native.answer import without_thinking
from bridge.native.arena.battle import rows as json_rows
from bridge.native.arena.questions import id_of
from bridge.native.readers import DataError, Line, read_rows

FAILED_MARKS = frozenset({"$ERROR$", "API_ERROR_OUTPUT"})
"""What FastChat and arena-hard write down where no answer came."""
_HEADER = re.compile(r"^#{1,6}\s", re.M)
_LIST = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s", re.M)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")
_FENCE = re.compile(r"^```.*?^```", re.M | re.S)
MODELS = ("model_id", "model", "generator")
LEFT_EMPTY = "left_empty"
"""In the metadata of a record without an answer: the model gave none. Without it, the request failed."""


@dataclass(frozen=True)
class Answer:
    """One model's answers to one question, turn by turn; None where a turn has none, and ``problem`` says why."""

    turns: tuple[str | None, ...]
    problem: str = ""
    empty: tuple[int, ...] = ()
    """The turns, from 1, that the model itself left without an answer; of others that have none, the request failed or
    was never made."""

    def up_to(self, turn: int) -> tuple[str, ...] | None:
        """The answers to the turns 1 to ``turn``; None where one is missing."""
        texts = tuple(text for text in self.turns[:turn] if text is not None)
        return texts if len(texts) == turn else None

    def left_empty(self, turn: int) -> bool:
        """Whether the answers to the turns 1 to ``turn`` lack something, all of it by the model's own doing."""
        there = {at for at, text in enumerate(self.turns[:turn], 1) if text is not None}
        lacking = set(range(1, turn + 1)) - there
        return bool(lacking) and lacking <= set(self.empty)


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
        _take(found, f"{path}:{line.number}", line.row, texts)
    if not rows:
        raise SpecError([Problem(str(path), "", "holds no answers")])
    return found


def recorded_answers(path: Path, model: str) -> Answers:
    """What the folder of an arena holds of the model's answers; nothing where the file is not there yet.

    Raises OutputError.
    """
    found = Answers(model)
    for number, row in json_rows(path) if path.exists() else ():
        _take(found, f"{path}:{number}", row, {})
    return found


def _take(found: Answers, place: str, row: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    question_id = texts.get(str(row.get("instruction"))) or id_of(row) or str(row.get("sample_id") or "")
    if not question_id:
        raise SpecError([Problem(place, "", "does not say which question it answers")])
    answer = answer_of(row)
    turn = _turn(row)
    if turn > 1 and question_id in found.of:
        before = found.of[question_id]
        turns = (*before.turns[: turn - 1], *[None] * (turn - 1 - len(before.turns)), *answer.turns)
        empty = (*before.empty, *(turn - 1 + at for at in answer.empty))
        answer = Answer(turns, before.problem or answer.problem, empty)
    elif question_id in found.of and found.of[question_id] != answer:
        found.notes.append(f"{place}: a second answer to question {question_id}; this one counts")
    found.of[question_id] = answer


def _turn(row: Mapping[str, Any]) -> int:
    """Of bridge's own records, which have a line for each turn."""
    turn = _metadata(row).get("turn") if "sample_id" in row else None
    return turn if isinstance(turn, int) else 1


def _metadata(row: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = row.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def answer_of(row: Mapping[str, Any]) -> Answer:
    """The answer in a row of any form."""
    if row.get("error"):
        told = " ".join(str(row["error"]).split())[:200]
        return Answer((None,), told, (1,) if _metadata(row).get(LEFT_EMPTY) is True else ())
    turns = tuple(map(_said, _turns(row)))
    problem = next((said.problem for said in turns if said.text is None), "")
    empty = tuple(at for at, said in enumerate(turns, 1) if said.text is None and not said.failed)
    return Answer(tuple(said.text for said in turns), problem, empty)


class _Said(NamedTuple):
    """The text as judges see it, or None and why there is none."""

    text: str | None
    problem: str = ""
    failed: bool = False


def _turns(row: Mapping[str, Any]) -> list[Any]:
    choices = row.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        turns = choices[0].get("turns")
        return turns if isinstance(turns, list) else [turns]
    messages = row.get("messages")
    if isinstance(messages, list):
        return [one.get("content") for one in messages if isinstance(one, dict) and one.get("role") == "assistant"]
    return [next((row[name] for name in ("response", "answer", "output", "text") if name in row), None)]


def _said(value: object) -> _Said:
    if isinstance(value, dict):
        value = value.get("content", value.get("answer"))
    if isinstance(value, dict):
        value = value.get("answer")
    if value is None:
        return _Said(None, "the answer is null")
    if not isinstance(value, str):
        return _Said(None, f"the answer is no text but {type(value).__name__}: {str(value)[:40]}")
    if value.strip() in FAILED_MARKS:
        return _Said(None, f"the answer is {value.strip()}, the mark of a request that failed", failed=True)
    text = without_thinking(value).answer
    return _Said(text) if text.strip() else _Said(None, "the answer is empty")


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
