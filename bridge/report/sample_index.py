"""``samples/index.sqlite``: where each sample lies in its file, and what pages filter by.

The JSONL files stay the truth: the index has no text of theirs but ids and subsets, is remade whenever a file is not
as it was, and can be deleted at any time. Rows are in the files' order, each file's without a gap, so that a page of
samples is a range of row ids and no further index is needed.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from bridge.report.schema import Report, ResultRow

VERSION = "1"
RIGHT, WRONG, BETWEEN, SCORED, ERROR = range(5)
STATES = ("right", "wrong", "between", "scored", "error")
"""By the primary metric; right and wrong are said of fractions only. ``error``: no answer, or no score."""
MAX_ID = 300
"""Characters of an id that the index keeps."""

_SCHEMA = """
create table meta (fingerprint text not null);
create table file (id integer primary key, path text, model text, backend text, dataset text, first integer, n integer,
  unreadable integer, first_unreadable integer, extracts integer);
create table subset (id integer primary key, name text);
create table sample (id integer primary key, offset integer, length integer, subset integer, sample_id text,
  repeat integer, state integer, score real, truncated integer, unparsed integer, tokens integer, latency_s real);
create table tally (file integer, subset integer, state integer, truncated integer, unparsed integer,
  finish text, n integer, score real, tokens integer);
create table length (file integer, bits integer, n integer, scored integer, score real);
"""
_INSERT = "insert into sample values (?,?,?,?,?,?,?,?,?,?,?,?)"


@dataclass(frozen=True)
class Source:
    """A file of samples, and what its samples are judged by."""

    row: ResultRow
    """The primary one."""
    path: Path

    def fingerprint(self) -> str:
        try:
            stat = self.path.stat()
        except OSError:
            return f"{self.row.samples}: gone"
        told = (self.row.samples, stat.st_size, stat.st_mtime_ns, self.row.metric, self.row.unit)
        return f"{told} {self.row.higher_is_better}"


def sources(report: Report, root: Path) -> list[Source]:
    """The files that the report names and that are in the run's own folder."""
    found = []
    inside = root.resolve()
    for row in report.results:
        if row.primary and row.samples is not None:
            path = (root / row.samples).resolve()
            if path.is_file() and path.is_relative_to(inside):
                found.append(Source(row, path))
    return found


def fingerprint(files: Sequence[Source]) -> str:
    """Changes whenever the index would be another one."""
    return "\n".join([VERSION, *(source.fingerprint() for source in files)])


def index_path(root: Path) -> Path:
    return root / "samples" / "index.sqlite"


def is_fresh(path: Path, files: Sequence[Source]) -> bool:
    """The index is there, whole, and of these files as they are."""
    try:
        with closing(connect(path)) as db:
            [made_of] = db.execute("select fingerprint from meta").fetchone() or [None]
    except (sqlite3.Error, OSError):
        return False
    return bool(made_of == fingerprint(files))


_CACHE_KIB = 256


def connect(path: Path) -> sqlite3.Connection:
    """For reading; nothing is created, and nothing is written beside it. Raises sqlite3.Error."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    # The system keeps the file's pages already; SQLite's own two megabytes for each reader would only be a copy.
    db.execute(f"pragma cache_size = -{_CACHE_KIB}")
    return db


def write_index(files: Sequence[Source], path: Path) -> None:
    """The index of these files, whole or not at all. Raises OSError or sqlite3.Error where it cannot be written."""
    made_of = fingerprint(files)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    aside.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(aside)) as db:
            db.executescript(f"pragma journal_mode=off; pragma synchronous=off; begin; {_SCHEMA}")
            subsets: dict[str | None, int] = {}
            first = 1
            for number, source in enumerate(files):
                first = _write_file(db, number, source, first, subsets)
            db.executemany("insert into subset values (?,?)", ((at, name) for name, at in subsets.items()))
            db.execute("insert into meta values (?)", (made_of,))
            db.commit()
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _write_file(db: sqlite3.Connection, number: int, source: Source, first: int, subsets: dict[str | None, int]) -> int:
    """Returns the first row id of the next file."""
    reader = _Reader(source.row, first, subsets)
    with source.path.open("rb") as lines:
        db.executemany(_INSERT, reader.rows(lines))
    row, n = source.row, reader.next_id - first
    told = (row.model, row.backend, row.dataset, first, n, reader.unreadable, reader.first_unreadable)
    db.execute("insert into file values (?,?,?,?,?,?,?,?,?,?)", (number, row.samples, *told, reader.extracts))
    db.executemany(
        "insert into tally values (?,?,?,?,?,?,?,?,?)",
        ((number, *key, n, *reader.sums[key]) for key, n in reader.tally.items()),
    )
    lengths = ((number, bits, *told) for bits, told in sorted(reader.lengths.items()))
    db.executemany("insert into length values (?,?,?,?,?)", lengths)
    return reader.next_id


class _Key(NamedTuple):
    subset: int
    state: int
    truncated: bool
    unparsed: bool
    finish: str | None


@dataclass
class _Reader:
    row: ResultRow
    next_id: int
    subsets: dict[str | None, int]
    unreadable: int = 0
    first_unreadable: int | None = None
    extracts: bool = False
    """Some record says what was read out of the answer: else nothing is said of any."""
    tally: Counter[_Key] = field(default_factory=Counter)
    sums: dict[_Key, tuple[float, int]] = field(default_factory=dict)
    """Of scores and of tokens."""
    lengths: dict[int, tuple[int, int, float]] = field(default_factory=dict)
    """Bits of the answer's length in characters → answers, those with a score, the sum of their scores."""

    def rows(self, lines: Iterator[bytes]) -> Iterator[tuple[object, ...]]:
        import orjson

        offset = 0
        for number, line in enumerate(lines, 1):
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                record = None
            if isinstance(record, dict) and isinstance(record.get("sample_id"), str):
                yield self._row(record, offset, len(line))
            else:
                self.unreadable += 1
                self.first_unreadable = self.first_unreadable or number
            offset += len(line)

    def _row(self, record: Mapping[str, Any], offset: int, length: int) -> tuple[object, ...]:
        subset, response, extracted = record.get("subset"), record.get("response"), record.get("extracted")
        score = primary_score(record.get("scores"), self.row.metric)
        finish = record.get("finish_reason")
        key = _Key(
            self.subsets.setdefault(subset if isinstance(subset, str) else None, len(self.subsets)),
            state_of(record, score, self.row),
            finish == "length",
            extracted is None and response is not None,
            finish if isinstance(finish, str) else None,
        )
        self.extracts |= extracted is not None
        usage = record.get("usage")
        tokens = _number(usage.get("completion_tokens")) if isinstance(usage, dict) else None
        self._count(key, score, tokens)
        if isinstance(response, str):
            n, scored, total = self.lengths.get(len(response).bit_length(), (0, 0, 0.0))
            known = key.state != ERROR
            self.lengths[len(response).bit_length()] = n + 1, scored + known, total + (score or 0.0) * known
        at, self.next_id = self.next_id, self.next_id + 1
        name, repeat = record["sample_id"][:MAX_ID], record.get("repeat")
        where = at, offset, length, key.subset, name, repeat if isinstance(repeat, int) else 0
        return *where, key.state, score, key.truncated, key.unparsed, tokens, _number(record.get("latency_s"))

    def _count(self, key: _Key, score: float | None, tokens: float | None) -> None:
        self.tally[key] += 1
        scores, so_far = self.sums.get(key, (0.0, 0))
        self.sums[key] = scores + (score or 0.0), so_far + int(tokens or 0)


def primary_score(scores: object, metric: str) -> float | None:
    """By the metric, or by the only one that there is; None where it is no finite number."""
    if not isinstance(scores, dict):
        return None
    return _number(next(iter(scores.values())) if metric not in scores and len(scores) == 1 else scores.get(metric))


def state_of(record: Mapping[str, Any], score: float | None, row: ResultRow) -> int:
    """An index of ``STATES``."""
    if record.get("error") is not None or score is None:
        return ERROR
    if row.unit != "fraction":
        return SCORED
    if score in (0.0, 1.0):
        return RIGHT if (score == 1.0) == row.higher_is_better else WRONG
    return BETWEEN


def _number(value: object) -> float | None:
    if isinstance(value, (int, float)) and abs(value) < 1e300:
        return float(value)
    return None
