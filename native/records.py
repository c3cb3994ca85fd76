"""The file of samples: one JSON line per finished sample, appended as it comes, in any order.

Each line is a ``SampleRecord``; ``metadata.index`` is the sample's position in the dataset. A later line of the same
sample and repeat replaces an earlier one, and a line that was cut off by a kill is as good as not written.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

import orjson

Record = dict[str, Any]
Failure = Literal["data", "unanswered", "scoring", "judge"]
"""Why a record has no score, in ``metadata.failure``: the row is broken, no answer came, the scorer failed,
a judge gave no verdict."""
_NEWLINE = b"\n"


class SampleWriter:
    """Appends records; a context manager. Raises OSError where the disk does not take them."""

    def __init__(self, path: Path, repeats: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._repeats = repeats
        self._done = bytearray()
        for slot, record in _slots(path, repeats):
            self._mark(slot, is_good(record))
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        if path.stat().st_size and not _ends_whole(path):
            os.write(self._file, _NEWLINE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def is_done(self, index: int, repeat: int) -> bool:
        """Whether there is a good record of it."""
        slot = index * self._repeats + repeat
        return slot < len(self._done) and self._done[slot] == 1

    def write(self, index: int, repeat: int, record: Record) -> None:
        line = memoryview(orjson.dumps(record, option=orjson.OPT_NON_STR_KEYS) + _NEWLINE)
        while line:
            line = line[os.write(self._file, line) :]
        self._mark(index * self._repeats + repeat, is_good(record))

    def _mark(self, slot: int, good: bool) -> None:
        if slot >= len(self._done):
            self._done.extend(bytes(slot + 1 - len(self._done)))
        self._done[slot] = good


def is_good(record: Record) -> bool:
    """Whether the sample needs not be asked again."""
    return record.get("error") is None and bool(record.get("scores"))


class SampleIndex:
    """A file of samples in the dataset's order, in memory that holds one offset per sample."""

    def __init__(self, path: Path, repeats: int, total: int | None) -> None:
        """``total``: samples of the dataset, each ``repeats`` times; None: as many as the file has."""
        self._path = path
        self._offsets = array("q", [-1]) * ((total or 0) * repeats)
        with _opened(path) as file:
            for slot, offset in _offsets(file, repeats):
                if slot >= len(self._offsets):
                    if total is not None:
                        continue
                    self._offsets.extend([-1] * (slot + 1 - len(self._offsets)))
                self._offsets[slot] = offset

    def __len__(self) -> int:
        return len(self._offsets)

    def missing(self) -> Iterator[int]:
        """The places that have no record."""
        return (slot for slot, offset in enumerate(self._offsets) if offset < 0)

    def records(self) -> Iterator[Record | None]:
        """Place by place; None where there is no record."""
        with _opened(self._path) as file:
            for offset in self._offsets:
                if offset < 0:
                    yield None
                else:
                    file.seek(offset)
                    yield orjson.loads(file.readline())


def _opened(path: Path) -> BinaryIO:
    return (path if path.exists() else Path(os.devnull)).open("rb")


def _offsets(file: BinaryIO, repeats: int) -> Iterator[tuple[int, int]]:
    offset = 0
    for line in file:
        record = _record(line)
        if record is not None:
            yield _slot(record, repeats), offset
        offset += len(line)


def _slots(path: Path, repeats: int) -> Iterator[tuple[int, Record]]:
    with _opened(path) as file:
        for line in file:
            record = _record(line)
            if record is not None:
                yield _slot(record, repeats), record


def _record(line: bytes) -> Record | None:
    """The record in a line; None where the line is torn."""
    if not line.endswith(_NEWLINE):
        return None
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    metadata = record.get("metadata") if isinstance(record, dict) else None
    index = metadata.get("index") if isinstance(metadata, dict) else None
    return record if isinstance(index, int) and index >= 0 else None


def _slot(record: Record, repeats: int) -> int:
    return int(record["metadata"]["index"]) * repeats + int(record.get("repeat", 0))


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == _NEWLINE
