"""Samples by a text in them, without an index of texts.

The file is read from where the last page ended, for so long as a page may take; what was looked at is always said.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import orjson

from bridge.report.sample_index import STATES
from bridge.view.records import MAX_LINE, Record, read_record
from bridge.view.samples import PAGE, Entry, File, Filter, SampleIndex

BUDGET_S = 0.06
CHUNK = 2**18


@dataclass(frozen=True)
class Found:
    entries: tuple[Entry, ...]
    last: int
    """Row id of the last sample that was looked at."""
    looked_at: int
    """Samples that the file's text was looked through for, from the page's beginning."""
    ended: bool
    """Nothing comes after these."""


def search(index: SampleIndex, file: File, path: Path, chosen: Filter, after: int, budget_s: float = BUDGET_S) -> Found:
    """The next samples with the text in prompt, answer, target, what was read out, error or id.

    Large and small ASCII letters are the same. Raises OSError.
    """
    start, end = max(after, file.first - 1), file.first + file.n - 1
    until = time.perf_counter() + budget_s
    found: list[Entry] = []
    looked = start
    begin = index.entry(file, start - file.first + 2)
    for place in _places(path, chosen.text, begin.offset, until) if begin else ():
        entry = index.at_offset(file, place.offset)
        if not place.hit:
            return _so_far(found, entry.id - 1 if entry else looked, start, end)
        if entry is None or entry.id <= looked:
            continue
        looked = entry.id
        if _fits(entry, chosen) and _holds(path, entry, chosen.text):
            found.append(entry)
        if len(found) == PAGE or time.perf_counter() > until:
            return _so_far(found, looked, start, end)
    return _so_far(found, end, start, end)


def _so_far(found: list[Entry], last: int, start: int, end: int) -> Found:
    last = max(last, start)
    return Found(tuple(found), last, last - start, last >= end)


class _Place(NamedTuple):
    offset: int
    hit: bool
    """False: nothing was found up to here, and the time is over."""


def _places(path: Path, text: str, offset: int, until: float) -> Iterator[_Place]:
    """Where the text is in the file's bytes, once per line and chunk."""
    wanted = _as_written(text)
    kept = b""
    with path.open("rb") as file:
        file.seek(offset)
        while chunk := file.read(CHUNK):
            folded = kept + chunk.lower()
            start = offset - len(kept)
            at = folded.find(wanted)
            while at >= 0:
                yield _Place(start + at, True)
                line_end = folded.find(b"\n", at)
                at = folded.find(wanted, line_end) if line_end >= 0 else -1
            offset += len(chunk)
            kept = folded[len(folded) - len(wanted) + 1 :] if len(wanted) > 1 else b""
            if time.perf_counter() > until:
                yield _Place(offset - 1, False)
                return


def _as_written(text: str) -> bytes:
    """As the text stands in a JSON string."""
    return orjson.dumps(text)[1:-1].lower()


def _fits(entry: Entry, chosen: Filter) -> bool:
    return (
        chosen.state in ("", STATES[entry.state])
        and chosen.subset in ("", entry.subset)
        and {"": True, "truncated": entry.truncated, "unparsed": entry.unparsed}[chosen.flag] not in (0, False)
    )


def _holds(path: Path, entry: Entry, text: str) -> bool:
    """Not only in the line's keys or in a number."""
    if entry.length > MAX_LINE:
        return True
    wanted = text.lower()
    return any(
        wanted in one.lower() for one in (entry.sample_id, *_texts(read_record(path, entry.offset, entry.length)))
    )


def _texts(record: Record) -> Iterator[str]:
    for text in (record.prompt, record.response, record.target, record.extracted, record.error):
        if text is not None:
            yield text
