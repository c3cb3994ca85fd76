"""What is asked: questions of one or more turns, in the forms that arenas keep them in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bridge.errors import Problem, SpecError
from bridge.native.readers import DataError, Line, read_rows

IDS = ("question_id", "uid", "id", "index")
TEXTS = ("prompt", "text", "question", "instruction")
FORMS: Mapping[str, tuple[str, ...]] = {
    "fastchat": ("turns",),
    "arena-hard": ("turns", "prompt"),
    "vicuna": ("text",),
    "alpaca-eval": ("instruction",),
}
"""The fields, one of which holds what is asked; ``auto`` takes any of them."""
_MOST = 20


@dataclass(frozen=True)
class Question:
    question_id: str
    category: str | None
    turns: tuple[str, ...]
    """What the user says, turn by turn."""
    references: tuple[str, ...] = ()
    """The right answers, turn by turn (empty text: none to this turn); empty where there are none."""


def read_questions(path: Path, form: str = "auto", categories: Iterable[str] = ()) -> list[Question]:
    """All questions of the file (of these categories). Raises SpecError with every row that is wrong."""
    wanted, found, problems = set(categories), dict[str, Question](), list[Problem]()
    seen: set[str | None] = set()
    try:
        for line in read_rows(path):
            try:
                question = _question(line, form)
            except ValueError as error:
                problems.append(_at(path, line.number, str(error)))
                continue
            seen.add(question.category)
            if question.question_id in found:
                what = f'question id {question.question_id} is there twice (1 and "1" are the same)'
                problems.append(_at(path, line.number, what))
            found.setdefault(question.question_id, question)
    except DataError as error:
        problems.append(Problem("", "questions.path", str(error)))
    problems += _unknown(path, wanted, {name for name in seen if name})
    if not found and not problems:
        problems.append(Problem(str(path), "", "holds no questions"))
    if problems:
        raise SpecError(problems[:_MOST])
    return [one for one in found.values() if not wanted or one.category in wanted]


def with_references(questions: Iterable[Question], references: Mapping[str, tuple[str, ...]]) -> list[Question]:
    """Each with the reference answers of its id, where there are any."""
    return [replace(one, references=references.get(one.question_id, one.references)) for one in questions]


def id_of(row: Mapping[str, Any]) -> str | None:
    """The row's id as text (1 and "1" are one id); AlpacaEval's rows have none: the hash of the instruction."""
    for name in IDS:
        value = row.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip()
    instruction = row.get("instruction")
    return hash_id(instruction) if isinstance(instruction, str) else None


def hash_id(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def texts_of(value: object) -> tuple[str, ...]:
    """The turns in ``["…"]`` or ``[{"content": "…"}]``. Raises ValueError for anything else."""
    turns = value if isinstance(value, list) else [value]
    texts = tuple(turn.get("content") if isinstance(turn, dict) else turn for turn in turns)
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError("a turn is to be text, and not empty")
    return texts  # type: ignore[return-value]


def _question(line: Line, form: str) -> Question:
    if line.problem:
        raise ValueError(line.problem)
    row = line.row
    fields = ("turns", *TEXTS) if form == "auto" else FORMS[form]
    field = next((name for name in fields if row.get(name) is not None), None)
    if field is None:
        raise ValueError(f"there is no {' and no '.join(fields)}; one of them is to hold the question")
    turns = texts_of(row[field])
    if field == "instruction" and isinstance(row.get("input"), str) and row["input"].strip():
        turns = (f"{turns[0]}\n\n{row['input']}",)
    question_id = id_of(row)
    if question_id is None:
        raise ValueError(f"there is no id; one of {', '.join(IDS)} is needed")
    category = row.get("category", row.get("dataset"))
    return Question(question_id, str(category) if category is not None else None, turns, _references(row))


def _references(row: Mapping[str, Any]) -> tuple[str, ...]:
    value = row.get("reference") or []
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str | None) for text in texts):
        raise ValueError("reference is to be text, or a list of texts, one for each turn")
    return tuple(text or "" for text in texts) if any(texts) else ()


def _unknown(path: Path, wanted: set[str], there: set[str]) -> Iterable[Problem]:
    for name in sorted(wanted - there):
        few = ", ".join(sorted(there)[:10]) or "none"
        yield Problem("", "questions.categories", f"{path} has no category {name!r}", f"there are: {few}")


def _at(path: Path, line: int, message: str) -> Problem:
    return Problem(f"{path}:{line}", "", message)
