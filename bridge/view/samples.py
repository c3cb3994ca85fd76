"""Pages of samples, counts and totals, out of a run's index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bridge.report.sample_index import ERROR, STATES, connect
from bridge.report.text import visible

FLAGS = ("truncated", "unparsed")
PAGE = 50


@dataclass(frozen=True)
class Filter:
    """What is chosen; empty means everything."""

    state: str = ""
    flag: str = ""
    subset: str = ""
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.state or self.flag or self.subset or self.text)


class File(NamedTuple):
    """A file of samples as the index knows it."""

    number: int
    path: str
    first: int
    n: int
    unreadable: int
    first_unreadable: int | None
    extracts: bool
    """Something is recorded of what was read out of the answers."""


class Entry(NamedTuple):
    """A sample without its texts."""

    id: int
    offset: int
    length: int
    subset: str | None
    sample_id: str
    repeat: int
    state: int
    score: float | None
    truncated: int
    unparsed: int
    tokens: float | None
    latency_s: float | None


class Part(NamedTuple):
    """A subset's share."""

    name: str | None
    n: int
    errors: int
    truncated: int
    unparsed: int
    mean: float | None
    """Of the scores that there are."""


class Length(NamedTuple):
    """Answers of about the same length."""

    low: int
    high: int
    """Characters."""
    n: int
    mean: float | None


_COLUMNS = (
    "s.id, s.offset, s.length, u.name, s.sample_id, s.repeat, s.state, s.score, s.truncated, s.unparsed, s.tokens"
)
_FROM = f"select {_COLUMNS}, s.latency_s from sample s join subset u on u.id = s.subset"


class SampleIndex:
    """An open index. Everything here takes milliseconds for 200,000 samples."""

    def __init__(self, path: Path) -> None:
        self._db = connect(path)
        # The system keeps the file's pages anyway; a megabyte of them for each run would be ours twice.
        self._db.execute("pragma cache_size = -256")
        self.path = path

    def close(self) -> None:
        self._db.close()

    def subset(self, told: str) -> str:
        """The name of the subset that pages write like this; what was given, where there is none."""
        names = (name for (name,) in self._db.execute("select name from subset where name is not null"))
        return next((name for name in names if visible(name) == told), told)

    def file(self, number: int) -> File:
        columns = "id, path, first, n, unreadable, first_unreadable, extracts"
        row = self._db.execute(f"select {columns} from file where id = ?", (number,)).fetchone()
        return File(*row)

    def page(self, file: File, chosen: Filter, after: int, limit: int = PAGE) -> list[Entry]:
        """The next samples after the row id ``after``; text is not looked at here."""
        where, values = _conditions(file, chosen, max(after + 1, file.first))
        rows = self._db.execute(f"{_FROM} where {where} order by s.id limit ?", (*values, limit))
        return [Entry(*row) for row in rows]

    def before(self, file: File, chosen: Filter, at: int) -> Entry | None:
        where, values = _conditions(file, chosen)
        row = self._db.execute(f"{_FROM} where s.id < ? and {where} order by s.id desc limit 1", (at, *values))
        return next((Entry(*one) for one in row), None)

    def entry(self, file: File, at: int) -> Entry | None:
        """The file's ``at``-th record, from 1."""
        row = self._db.execute(f"{_FROM} where s.id = ?", (file.first + at - 1,)) if 0 < at <= file.n else ()
        return next((Entry(*one) for one in row), None)

    def at_offset(self, file: File, offset: int) -> Entry | None:
        """The record that this byte of the file is in."""
        low, high = file.first, file.first + file.n - 1
        while low < high:
            middle = (low + high + 1) // 2
            [start] = self._db.execute("select offset from sample where id = ?", (middle,)).fetchone()
            low, high = (middle, high) if start <= offset else (low, middle - 1)
        entry = self.entry(file, low - file.first + 1)
        return entry if entry and entry.offset <= offset < entry.offset + entry.length else None

    def same(self, file: File, entry: Entry) -> list[Entry]:
        """Every record of this file with the sample's id and subset: its repeats."""
        where, values = _conditions(file, Filter(subset=entry.subset or ""))
        rows = self._db.execute(
            f"{_FROM} where s.sample_id = ? and {where} order by s.id limit 64", (entry.sample_id, *values)
        )
        return [one for one in (Entry(*row) for row in rows) if one.subset == entry.subset]

    def counts(self, file: File, chosen: Filter) -> dict[str, int]:
        """Samples by state, and by flag, each with the other choices as they are; ``all`` without state or flag."""
        found = dict.fromkeys(("all", *STATES, *FLAGS), 0)
        rows = self._db.execute(
            "select t.state, t.truncated, t.unparsed, sum(t.n) from tally t join subset u on u.id = t.subset "
            "where t.file = ? and (? = '' or u.name = ?) group by 1, 2, 3",
            (file.number, chosen.subset, chosen.subset),
        )
        for state, truncated, unparsed, n in rows:
            flagged = {"": True, "truncated": truncated, "unparsed": unparsed}[chosen.flag]
            in_state = chosen.state in ("", STATES[state])
            found["all"] += n if flagged else 0
            found[STATES[state]] += n if flagged else 0
            found["truncated"] += n if truncated and in_state else 0
            found["unparsed"] += n if unparsed and in_state else 0
        return found

    def total(self, file: File, chosen: Filter) -> int:
        """How many samples the choices leave, text aside."""
        counts = self.counts(file, chosen)
        return counts[chosen.state or "all"]

    def parts(self, file: File) -> list[Part]:
        """By subset, in the file's order."""
        rows = self._db.execute(
            "select u.name, sum(t.n), sum(t.n * (t.state = ?)), sum(t.n * t.truncated), sum(t.n * t.unparsed), "
            "sum(t.score) from tally t join subset u on u.id = t.subset where t.file = ? group by u.id order by u.id",
            (ERROR, file.number),
        )
        return [
            Part(name, n, errors, truncated, unparsed, total / (n - errors) if n > errors else None)
            for name, n, errors, truncated, unparsed, total in rows
        ]

    def finishes(self, file: File) -> list[tuple[str | None, int]]:
        rows = self._db.execute(
            "select finish, sum(n) from tally where file = ? group by 1 order by 2 desc", (file.number,)
        )
        return list(rows)

    def lengths(self, file: File) -> list[Length]:
        """Answers by powers of two of their length."""
        rows = self._db.execute(
            "select bits, n, scored, score from length where file = ? order by bits", (file.number,)
        )
        return [
            Length(2 ** (bits - 1) if bits else 0, 2**bits - 1 if bits else 0, n, total / scored if scored else None)
            for bits, n, scored, total in rows
        ]


def _conditions(file: File, chosen: Filter, first: int | None = None) -> tuple[str, Sequence[Any]]:
    told = list(_each(file, chosen, first or file.first))
    return " and ".join(sql for sql, _ in told), [value for _, values in told for value in values]


def _each(file: File, chosen: Filter, first: int) -> Iterator[tuple[str, Sequence[Any]]]:
    yield "s.id between ? and ?", (first, file.first + file.n - 1)
    if chosen.state:
        yield "s.state = ?", (STATES.index(chosen.state),)
    if chosen.flag:
        yield ("s.truncated" if chosen.flag == "truncated" else "s.unparsed"), ()
    if chosen.subset:
        yield "u.name = ?", (chosen.subset,)
