"""An append-only file of JSON lines, one for every piece of work that is done.

A job that is killed goes on from it: a last line that was half written is cut off, and the work behind it done again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bridge.spec import JsonObject


class Key(NamedTuple):
    """What a line is about; where a key has several lines, the last one counts."""

    sample_id: str
    repeat: int = 0


class Journal:
    """Lines by key. Only their places are kept in memory, the lines themselves stay on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places: dict[Key, int] = {}
        self._end = 0
        for place, end, entry in _lines(path):
            self._places[_key(entry)] = place
            self._end = end

    def __contains__(self, key: Key) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: Key) -> JsonObject | None:
        place = self._places.get(key)
        if place is None:
            return None
        with self.path.open("rb") as file:
            file.seek(place)
            entry: JsonObject = json.loads(file.readline())
        return entry

    def add(self, key: Key, entry: JsonObject) -> None:
        """Appends a line; once this returns, the death of the process does not lose it."""
        line = json.dumps({"id": key.sample_id, "repeat": key.repeat, **entry}, ensure_ascii=False)
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.seek(self._end)
            file.truncate()
            file.write(data)
        self._places[key] = self._end
        self._end += len(data)


def _lines(path: Path) -> Iterator[tuple[int, int, JsonObject]]:
    """Start, end and content of each whole line; a damaged line is left out, so that its work is done again."""
    if not path.exists():
        return
    place = 0
    with path.open("rb") as file:
        for line in file:
            end = place + len(line)
            if line.endswith(b"\n"):
                try:
                    entry = json.loads(line)
                    _key(entry)
                except (ValueError, LookupError, TypeError):
                    pass
                else:
                    yield place, end, entry
            place = end


def _key(entry: JsonObject) -> Key:
    return Key(str(entry["id"]), int(entry["repeat"]))
