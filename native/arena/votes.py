"""Battles as columns: what decisions and the measures of judges are made from, a million rows in little memory."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from bridge.errors import OutputError
from bridge.native.arena.battle import BATTLE_FIELDS, Battle, battle_from

Column = NDArray[Any]
NONE = -1
"""In a column of numbers: not known."""
NO_VERDICT = -9
BATCH_BYTES = 2**18
"""So few that the rows stay in the processor's cache while they are taken apart, column by column."""
TWO_PROCESSES_FROM = 32 * 2**20
"""Bytes of a file from which it pays to read it with a second process."""


@dataclass(frozen=True)
class Votes:
    """Column → one value per battle; ``names`` say what the numbers in a column of texts stand for."""

    names: Mapping[str, tuple[str, ...]]
    """Of ``question``, ``model`` (a and b), ``judge``, ``annotator``, ``category``, ``prompt``; ``""``: none."""
    columns: Mapping[str, Column]

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.columns["question"])

    def only(self, rows: Column) -> Votes:
        """These rows, by a mask or by number; itself where the mask leaves nothing out."""
        if rows.dtype == np.bool_ and rows.all():
            return self
        return Votes(self.names, {name: _picked(values, rows) for name, values in self.columns.items()})


def _slim(values: Column) -> Column:
    """A column of one and the same value, which most are, in the memory of one value."""
    if len(values) < 2:
        return values
    same = values == values[0]
    if values.dtype.kind == "f":
        same |= np.isnan(values) & np.isnan(values[0])
    return np.broadcast_to(values[:1].copy(), values.shape) if same.all() else values


def _picked(values: Column, rows: Column) -> Column:
    if values.strides != (0,):
        return np.asarray(values[rows])
    n = int(np.count_nonzero(rows)) if rows.dtype == np.bool_ else len(rows)
    return np.broadcast_to(values[:1], (n,)) if n else values[:0]


CODED = {
    "question": "question_id",
    "model_a": "model_a",
    "model_b": "model_b",
    "judge": "judge",
    "annotator": "annotator",
    "category": "category",
    "prompt": "prompt_sha256",
}
"""Column → field, of texts that are numbered."""
TABLES = ("question", "model", "judge", "annotator", "category", "prompt")
TABLE_OF = {"model_a": "model", "model_b": "model"}
KNOWN = frozenset(BATTLE_FIELDS)
ERRORS = {None: 0, "failed": 1, "unparsed": 2, "no_answer": 3}
MARKS = ("headers", "lists", "bold")


def _number(default: float) -> Callable[[Any], Any]:
    # Adding nothing costs little, and refuses what is no number.
    return lambda value: default if value is None else value + 0


def _fingerprint(sha256: str | None) -> int:
    """0: not known."""
    return hash(sha256 or "")


PLAIN: dict[str, tuple[str, Callable[[Any], Any], type[np.generic]]] = {
    "first": ("shown_first", {"a": 1, "b": -1, None: 1}.__getitem__, np.int8),
    "order_known": ("order_known", {True: 1, False: 0, None: 1}.__getitem__, np.int8),
    "kind": ("judge_kind", {"llm": 0, "human": 1, "imported": 2, "dry_run": 3, None: 0}.__getitem__, np.int8),
    "verdict": ("verdict", {"a": 1, "tie": 0, "b": -1, None: NO_VERDICT}.__getitem__, np.int8),
    "strength": ("strength", {1: 1, 2: 2, None: 1}.__getitem__, np.int8),
    "ambiguous": ("ambiguous", {True: 1, False: 0, None: 0}.__getitem__, np.int8),
    "turn": ("turn", _number(1), np.int32),
    "repeat": ("repeat", _number(0), np.int32),
    "len_a": ("len_a", _number(NONE), np.int32),
    "len_b": ("len_b", _number(NONE), np.int32),
    "score_a": ("score_a", _number(np.nan), np.float64),
    "score_b": ("score_b", _number(np.nan), np.float64),
    "cost": ("cost", _number(np.nan), np.float32),
    "latency_s": ("latency_s", _number(np.nan), np.float32),
    "answer_a": ("answer_a_sha256", _fingerprint, np.int64),
    "answer_b": ("answer_b_sha256", _fingerprint, np.int64),
}
"""Column → field, what reads a value of it, and the kind of number."""


class _Collector:
    """Rows in, columns out, some thousands at a time."""

    def __init__(self) -> None:
        self.known: dict[str, dict[Any, int]] = {}
        for name in TABLES:
            table: defaultdict[Any, int] = defaultdict()
            table.default_factory = table.__len__
            self.known[name] = table
        self.parts: list[dict[str, Column]] = []

    def add(self, rows: Sequence[dict[str, Any]], place: Callable[[int], str]) -> None:
        """``place`` tells where a row came from. What a column cannot take, ``battle_from`` puts into words."""
        try:
            self.parts.append(self._columns(rows))
        except (KeyError, TypeError, ValueError, OverflowError):
            for number, row in enumerate(rows):
                battle_from(row, place(number))
            raise OutputError(
                f"{place(0)}: a value of the wrong kind near here; docs/arena.md has the fields"
            ) from None

    def _columns(self, rows: Sequence[dict[str, Any]]) -> dict[str, Column]:
        present = set[str]().union(*rows)
        if not present <= KNOWN:
            raise KeyError

        def values(field: str) -> list[Any] | None:
            """None where no row has the field."""
            return [row.get(field) for row in rows] if field in present else None

        made = {name: self._coded(name, values(field), len(rows)) for name, field in CODED.items()}
        for name, (field, read, kind) in PLAIN.items():
            made[name] = _column(values(field), read, kind, len(rows))
        made["error"] = _column(values("error"), _error, np.int8, len(rows))
        for side in "ab":
            styles = values(f"style_{side}")
            for mark in MARKS:
                made[f"{mark}_{side}"] = _column(styles, partial(_mark, mark), np.int32, len(rows))
        made["first"] *= made.pop("order_known")
        if not all(row.get("model_b") is None or row["model_a"] < row["model_b"] for row in rows):
            raise ValueError
        return made

    def _coded(self, name: str, values: Sequence[Any] | None, n: int) -> Column:
        table = self.known[TABLE_OF.get(name, name)]
        values = [None] * n if values is None else values
        if name == "model_b":
            return np.array([NONE if value is None else table[value] for value in values], np.int32)
        if name == "question":
            values = [value if isinstance(value, str) else _id(value) for value in values]
        elif name in ("model_a", "judge") and not all(values):
            raise ValueError
        return np.array([table[value or ""] for value in values], np.int32)

    def votes(self) -> Votes:
        parts = self.parts or [self._columns([])]
        columns = {name: _slim(np.concatenate([part.pop(name) for part in parts])) for name in list(parts[0])}
        return Votes({name: tuple(table) for name, table in self.known.items()}, columns)


def _column(values: list[Any] | None, read: Callable[[Any], Any], kind: type[np.generic], n: int) -> Column:
    """``read`` of each of the ``n`` values; where all are None, which is often, it is asked once."""
    if values is None or values.count(None) == n:
        return np.full(n, read(None), kind)
    return np.array([read(value) for value in values], kind)


def _id(value: Any) -> str:
    """Ids are texts; a number stands for its digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TypeError


def _mark(mark: str, style: dict[str, int] | None) -> int:
    return style.get(mark, 0) if style else NONE


def _error(error: dict[str, Any] | None) -> int:
    return ERRORS[error["kind"]] if error else 0


def votes(battles: Iterable[Battle]) -> Votes:
    collector = _Collector()
    rows = [{name: getattr(battle, name) for name in BATTLE_FIELDS} for battle in battles]
    for row in rows:
        row["error"] = row["error"] and {"kind": row["error"].kind, "message": row["error"].message}
    collector.add(rows, lambda number: f"battle {number + 1}")
    return collector.votes()


def read_votes(path: Path) -> Votes:
    """All of ``battles.jsonl``; large files with two processes. Raises OutputError for a row that is none."""
    size = path.stat().st_size if path.is_file() else 0
    if size < TWO_PROCESSES_FROM or (os.cpu_count() or 1) < 2:
        return _read(path, 0, size)
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    cut = _line_start(path, size // 2)
    # Forked, so that both have the same seed for the hashes of texts.
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        other = pool.submit(_read, path, cut, size)
        return joined([_read(path, 0, cut), other.result()])


def _line_start(path: Path, at: int) -> int:
    with path.open("rb") as file:
        file.seek(at)
        file.readline()
        return file.tell()


def _read(path: Path, start: int, end: int) -> Votes:
    collector = _Collector()
    if start == end:
        return collector.votes()
    with path.open("rb") as file:
        file.seek(start)
        at = start
        while at < end:
            data = file.read(min(BATCH_BYTES, end - at))
            if at + len(data) < end:
                data += file.readline()
            collector.add(_rows(data.splitlines(keepends=True), path, at), partial(_place, path, at))
            at += len(data)
    return collector.votes()


def _rows(lines: Sequence[bytes], path: Path, at: int) -> list[dict[str, Any]]:
    try:
        rows = [orjson.loads(raw) for raw in lines]
    except orjson.JSONDecodeError:
        rows = [row for number, raw in enumerate(lines) if (row := _row(raw, path, at, number)) is not None]
    if not all(isinstance(row, dict) for row in rows):
        number = next(number for number, row in enumerate(rows) if not isinstance(row, dict))
        raise OutputError(f"{_place(path, at, number)}: no battle, but a JSON {type(rows[number]).__name__}")
    return rows


def _row(raw: bytes, path: Path, at: int, number: int) -> Any:
    """None: an empty line, or a last one that a kill cut short."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if not raw.strip() or not raw.endswith(b"\n"):
            return None
        raise OutputError(f"{_place(path, at, number)}: not JSON ({error}); mend or delete the line") from None


def _place(path: Path, at: int, number: int) -> str:
    """File and line, counted only when something is wrong there."""
    with path.open("rb") as file:
        lines = file.read(at).count(b"\n")
    return f"{path}:{lines + number + 1}"


def joined(parts: Sequence[Votes]) -> Votes:
    """One after the other, under common numbers."""
    parts = [part for part in parts if len(part)] or parts[:1]
    if len(parts) == 1:
        return parts[0]
    known: dict[str, dict[str, int]] = {name: {} for name in TABLES}
    renumbered = []
    for part in parts:
        own = dict(part.columns)
        for column in CODED:
            table = known[TABLE_OF.get(column, column)]
            numbers = [table.setdefault(name, len(table)) for name in part.names[TABLE_OF.get(column, column)]]
            # One more at the end, so that -1 (none) stays what it is.
            own[column] = np.array([*numbers, NONE], np.int32)[own[column]]
        renumbered.append(own)
    columns = {name: _slim(np.concatenate([own.pop(name) for own in renumbered])) for name in list(renumbered[0])}
    return Votes({name: tuple(table) for name, table in known.items()}, columns)
