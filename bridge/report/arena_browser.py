"""The battles that one HTML file carries: questions, answers, and what each judge said; what is left out, in words."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
from markupsafe import Markup

from bridge.report.arena_schema import ArenaReport
from bridge.report.text import plural

MAX_ITEMS = 3_000
MAX_TEXT = 8_000
MAX_BYTES = 24 * 2**20
MAX_READ = 2**28
"""Bytes of ``battles.jsonl`` beyond which a report has no browser; everything is still in the folder."""

Row = dict[str, Any]
Key = tuple[str, int, str, str | None]


@dataclass(frozen=True)
class Browser:
    data: Row
    note: str
    """What is not here; empty where all is."""

    @property
    def n(self) -> int:
        return len(self.data["items"])

    @cached_property
    def json(self) -> Markup:
        from bridge.report.html import script_json

        return Markup(script_json(self.data))


def browser(arena: ArenaReport, root: Path, *, max_items: int = MAX_ITEMS, max_bytes: int = MAX_BYTES) -> Browser:
    """``root`` is the run's folder; files that are missing, and lines that cannot be read, are left out."""
    files = [root / "battles.jsonl", *sorted((root / "votes").glob("*.jsonl"))]
    if sum(path.stat().st_size for path in files if path.is_file()) > MAX_READ:
        return Browser(_empty(), "there are too many battles for one page; all of them are in battles.jsonl")
    found = _Comparisons.of(files)
    battles = found.battles(_spread(found.keys, max_items))
    decisions = _decisions(root / "decisions.jsonl", battles)
    questions = {str(row.get("question_id")): row for row in _rows(root / "questions.jsonl")}
    names = [one.model for one in arena.models] or sorted({key[2] for key in found.keys})
    data = _empty() | {"models": names}
    size, left = 0, len(found.keys) - len(battles)
    answers = _Answers(root)
    for key, rows in battles.items():
        item = _item(key, _about_now(list(rows.values())), decisions.get(key))
        data["items"].append(item)
        added = _remember(data, key, questions.get(key[0]), answers)
        size += added + len(orjson.dumps(item))
        if size > max_bytes:
            left = len(found.keys) - len(data["items"])
            break
    note = (
        f"{len(data['items']):,} of {plural(len(found.keys), 'comparison')} are here; all are in battles.jsonl"
        if left
        else ""
    )
    return Browser(data, note)


@dataclass(frozen=True)
class _Comparisons:
    """What was compared in the files: only the keys of all, since a million rows would not fit into memory."""

    keys: Sequence[Key]
    """In the order in which they come."""
    lines: Sequence[tuple[Path, array[int]]]
    """Of each file: the key that each line belongs to, by number; -1 where the line is no row."""

    @classmethod
    def of(cls, files: Sequence[Path]) -> _Comparisons:
        numbers: dict[Key, int] = {}
        lines = []
        for path in files:
            rows = map(_row, _lines(path))
            own = (-1 if row is None else numbers.setdefault(_key(row), len(numbers)) for row in rows)
            lines.append((path, array("l", own)))
        return cls(list(numbers), lines)

    def battles(self, keys: Iterable[Key]) -> dict[Key, dict[str, Row]]:
        """The rows of these comparisons; of those with one id the last."""
        found: dict[Key, dict[str, Row]] = {key: {} for key in keys}
        wanted = [key in found for key in self.keys]
        for path, numbers in self.lines:
            # Somebody may vote meanwhile.
            for number, line in zip(numbers, _lines(path), strict=False):
                if number >= 0 and wanted[number] and (row := _row(line)) is not None and _key(row) in found:
                    found[_key(row)][str(row.get("battle_id"))] = row
        return found


_QUESTION, _NEXT = b'{"question_id":', b',"category":'
"""How lines of ``decisions.jsonl`` begin, as bridge writes them."""


def _decisions(path: Path, keys: Iterable[Key]) -> dict[Key, Row]:
    """Of these comparisons; lines about other questions are passed over unread."""
    wanted = {orjson.dumps(key[0]) for key in keys}
    found: dict[Key, Row] = {}
    for line in _lines(path):
        other = line.startswith(_QUESTION) and line[len(_QUESTION) : line.find(_NEXT)] not in wanted
        if not other and (row := _row(line)) is not None:
            found[_key(row)] = row
    return found


def _empty() -> Row:
    return {"models": [], "questions": {}, "answers": {}, "items": []}


def _key(row: Row) -> Key:
    turn = row.get("turn")
    return (
        str(row.get("question_id")),
        turn if isinstance(turn, int) else 1,
        str(row.get("model_a")),
        row.get("model_b"),
    )


def _about_now(battles: Sequence[Row]) -> list[Row]:
    """Without votes of people on other answers than the judges saw: those have changed since."""
    judged = {_answers_of(row) for row in battles if row.get("judge_kind") != "human"} - {_NOT_TOLD}
    return [
        row
        for row in battles
        if row.get("judge_kind") != "human" or not judged or _answers_of(row) in {*judged, _NOT_TOLD}
    ]


_NOT_TOLD = (None, None)


def _answers_of(row: Row) -> tuple[str | None, str | None]:
    return row.get("answer_a_sha256"), row.get("answer_b_sha256")


def _item(key: Key, battles: Sequence[Row], decision: Row | None) -> Row:
    """Short keys, no empty fields."""
    fields: Row = {
        "q": key[0],
        "t": key[1],
        "a": key[2],
        "b": key[3],
        "c": next((row["category"] for row in battles if row.get("category")), None),
        "w": decision.get("winner") if decision else None,
        "y": decision.get("rule") if decision else None,
        "k": decision.get("consistent") if decision else None,
        "la": battles[0].get("len_a"),
        "lb": battles[0].get("len_b"),
        "v": [_vote(row) for row in battles],
    }
    return {name: value for name, value in fields.items() if value is not None}


def _vote(row: Row) -> Row:
    error = row.get("error")
    fields: Row = {
        "j": row.get("judge"),
        "h": row.get("judge_kind") == "human" or None,
        "n": row.get("annotator"),
        "f": row.get("shown_first") if row.get("order_known", True) and row.get("model_b") else None,
        "r": row.get("repeat") or None,
        "v": row.get("verdict"),
        "sa": row.get("score_a"),
        "sb": row.get("score_b"),
        "x": _cut(row.get("judgment")),
        "e": f"{error.get('kind')}: {error.get('message')}" if isinstance(error, dict) else None,
        "ek": error.get("kind") if isinstance(error, dict) else None,
        "m": row.get("ambiguous") or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _remember(data: Row, key: Key, question: Row | None, answers: _Answers) -> int:
    """The question and the answers of this comparison; returns how many bytes that takes."""
    size = 0
    if question is not None and key[0] not in data["questions"]:
        made = {"t": _texts(question.get("turns")), "r": _texts(question.get("references"))}
        data["questions"][key[0]] = made
        size += len(orjson.dumps(made))
    for model in filter(None, key[2:]):
        own = data["answers"].setdefault(str(model), {})
        if key[0] not in own and (texts := answers.of(str(model)).get(key[0])):
            own[key[0]] = texts
            size += len(orjson.dumps(texts))
    return size


class _Answers:
    """``answers/<model>.jsonl``, read when they are first wanted; the model is told by the rows."""

    def __init__(self, root: Path) -> None:
        self._files = sorted((root / "answers").glob("*.jsonl"))
        self._found: dict[str, dict[str, list[str | None]]] | None = None

    def of(self, model: str) -> dict[str, list[str | None]]:
        if self._found is None:
            self._found = {}
            for row in (row for path in self._files for row in _rows(path)):
                own = self._found.setdefault(str(row.get("model")), {})
                own.setdefault(str(row.get("sample_id")), []).append(_cut(row.get("response")))
        return self._found.get(model, {})


def _texts(value: object) -> list[str | None]:
    return [_cut(text) for text in value] if isinstance(value, list) else []


def _cut(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    if len(value) <= MAX_TEXT:
        return value
    head, tail = 3 * MAX_TEXT // 4, MAX_TEXT // 4
    return f"{value[:head]}\n[… {len(value) - head - tail:,} characters left out …]\n{value[-tail:]}"


def _spread(keys: Sequence[Key], most: int) -> Iterator[Key]:
    """Evenly, where there are more."""
    n = len(keys)
    for at, key in enumerate(keys):
        if n <= most or (at + 1) * most // n > at * most // n:
            yield key


def _rows(path: Path) -> Iterator[Row]:
    return (row for row in map(_row, _lines(path)) if row is not None)


def _lines(path: Path) -> Iterator[bytes]:
    if path.is_file():
        with path.open("rb") as lines:
            yield from lines


def _row(line: bytes) -> Row | None:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None
