"""The benchmark's files: JSON lines of ``{"prompt", "type", "length"}``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from bridge.adapters.longbench_write.length import count_words
from bridge.adapters.longbench_write.names import FILES
from bridge.spec import JsonObject


class DataError(Exception):
    """A file that is missing or not in the benchmark's format; one line with the place."""


@dataclass(frozen=True, slots=True)
class WritingTask:
    """One thing to write."""

    id: str
    """Number of its row in the file, from 0."""
    prompt: str
    type: str
    required_words: int
    language: str
    """Of the prompt: ``zh`` where it is mostly Chinese, else ``en``."""

    def to_json(self) -> JsonObject:
        return asdict(self)


def file_of(dataset: str, path: Path) -> Path:
    """The dataset's file: the path itself, or the file of its name in that folder."""
    return path / FILES[dataset] if path.is_dir() else path


def read_tasks(path: Path, limit: int | None) -> list[WritingTask]:
    """The first ``limit`` tasks. Raises DataError."""
    tasks = list(islice(_tasks(path), limit))
    if not tasks:
        raise DataError(f"{path}: there is no row in it")
    return tasks


def _tasks(path: Path) -> Iterator[WritingTask]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            lines = [(number, line) for number, line in enumerate(file, 1) if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read: {reason}") from None
    for at, (number, line) in enumerate(lines):
        try:
            yield _task(str(at), json.loads(line))
        except (ValueError, TypeError, LookupError) as error:
            what = f"has no {error}" if isinstance(error, KeyError) else str(error)
            wanted = 'wanted is {"prompt": text, "type": text, "length": words}'
            raise DataError(f"{path}:{number}: {what}; {wanted}") from None


def _task(id: str, row: JsonObject) -> WritingTask:
    prompt, length = row["prompt"], row["length"]
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError("'prompt' is to be text")
    if isinstance(length, bool) or not isinstance(length, int | float) or not math.isfinite(length) or length < 1:
        raise ValueError(f"'length' is to be a number of words, not {length!r}")
    words = count_words(prompt)
    language = "zh" if words.chinese > words.latin else "en"
    return WritingTask(id, prompt, str(row.get("type") or "unknown"), int(length), language)
