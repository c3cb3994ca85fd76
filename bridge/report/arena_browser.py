"""The battles that one HTML file carries: questions, answers, and what each judge said; what is left out, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    battles: dict[Key, dict[str, Row]] = {}
    for row in (row for path in files for row in _rows(path)):
        battles.setdefault(_key(row), {})[str(row.get("battle_id"))] = row
    decisions = {_key(row): row for row in _rows(root / "decisions.jsonl")}
    questions = {str(row.get("question_id")): row for row in _rows(root / "questions.jsonl")}
    kept = list(_spread(list(battles), max_items))
    names = [one.model for one in arena.models] or sorted({key[2] for key in battles})
    data = _empty() | {"models": names}
    size, left = 0, len(battles) - len(kept)
    answers = _Answers(root)
    for key in kept:
        item = _item(key, list(battles[key].values()), decisions.get(key))
        data["items"].append(item)
        added = _remember(data, key, questions.get(key[0]), answers)
        size += added + len(orjson.dumps(item))
        if size > max_bytes:
            left = len(battles) - len(data["items"])
            break
    note = (
        f"{len(data['items']):,} of {plural(len(battles), 'comparison')} are here; all are in battles.jsonl"
        if left
        else ""
    )
    return Browser(data, note)


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
    if not path.is_file():
        return
    with path.open("rb") as lines:
        for line in lines:
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(row, dict):
                yield row
