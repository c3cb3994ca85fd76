"""What a job left of one dataset: ``result.json``, and a line per sample in ``samples.jsonl``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULT, SAMPLES = "result.json", "samples.jsonl"


@dataclass(frozen=True)
class Line:
    """One sample, asked once; as the launcher wrote it."""

    index: str
    repeat: int
    offset: int
    """Where in the file its line begins."""
    group: str
    error: str | None
    """Why there is no answer."""
    unscored: str | None
    """Why an answer has no score."""
    row: dict[str, Any]
    """The cells of the table that scores depend on."""
    extracted: Any
    hit: float | None
    details: dict[str, Any]
    """Columns that the scorer added."""
    response: str
    finish_reason: str | None

    @property
    def why_not(self) -> str | None:
        return self.error or self.unscored

    @property
    def subset(self) -> str | None:
        return _text(self.row.get("category"))

    @property
    def category(self) -> str | None:
        return _text(self.row.get("l2-category", self.row.get("l2_category")))

    @property
    def split(self) -> str | None:
        return _text(self.row.get("split"))


@dataclass(frozen=True)
class Left:
    """One dataset's folder."""

    folder: Path
    result: dict[str, Any]
    lines: list[Line] = field(default_factory=list)
    """Sample by sample, the repeats of a sample one after the other."""

    @property
    def error(self) -> str | None:
        """Why there is no score; of several repeats the first reason."""
        told = [self.result.get("error"), *(part.get("error") for part in self.result.get("repeats", ()))]
        return next((str(error) for error in told if error), None)

    @property
    def metrics(self) -> list[Any]:
        """What VLMEvalKit's ``evaluate`` returned, by repeat."""
        return [part["metrics"] for part in self.result.get("repeats", ()) if part.get("metrics")]

    def raw(self) -> Iterator[tuple[Line, dict[str, Any]]]:
        """The lines with all that is in them, read anew."""
        with (self.folder / SAMPLES).open("rb") as file:
            for line in self.lines:
                file.seek(line.offset)
                yield line, json.loads(file.readline())


def read(folder: Path) -> Left | None:
    """What was left; None where there is nothing. A torn last line is left out."""
    try:
        result = json.loads((folder / RESULT).read_bytes())
    except FileNotFoundError:
        result = None
    except ValueError:
        result = {"error": f"{folder / RESULT} cannot be read", "repeats": []}
    lines = list(_lines(folder / SAMPLES)) if (folder / SAMPLES).is_file() else []
    if result is None:
        return Left(folder, {"error": None, "repeats": []}, lines) if lines else None
    order = {index: at for at, index in enumerate(dict.fromkeys(line.index for line in lines))}
    return Left(folder, result, sorted(lines, key=lambda line: (order[line.index], line.repeat)))


def _lines(path: Path) -> Iterator[Line]:
    offset = 0
    with path.open("rb") as file:
        for text in file:
            try:
                yield _line(json.loads(text), offset)
            except ValueError:
                return
            offset += len(text)


def _line(raw: dict[str, Any], offset: int) -> Line:
    return Line(
        index=str(raw["index"]),
        repeat=int(raw.get("repeat", 0)),
        offset=offset,
        group=str(raw.get("group", raw["index"])),
        error=raw.get("error"),
        unscored=raw.get("unscored"),
        row=raw.get("row") or {},
        extracted=raw.get("extracted"),
        hit=raw.get("hit"),
        details=raw.get("details") or {},
        response=raw.get("response") or "",
        finish_reason=raw.get("finish_reason"),
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
