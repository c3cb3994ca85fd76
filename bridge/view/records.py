"""Records read from their place in the file, and as much of their text as a page can show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bridge.report.prompt_text import plain_text
from bridge.report.text import visible

MAX_LINE = 4 * 2**20
"""Bytes; of a longer record only the ends are read."""
MAX_TEXT = 40_000
"""Characters of one text on a sample's page."""
MAX_GIST = 110
ENDS = 8_192


@dataclass(frozen=True)
class Record:
    """What a line says, every text a string, ``None`` where there is none."""

    prompt: str
    messages: tuple[tuple[str, str], ...]
    """Role and text, where messages were sent."""
    target: str | None
    response: str | None
    extracted: str | None
    error: str | None
    finish_reason: str | None
    scores: dict[str, Any]
    metadata: str | None
    prompt_sha256: str | None
    too_long: str = ""
    """The record is not read: only its two ends, as they stand in the file, are here."""


def read_record(path: Path, offset: int, length: int) -> Record:
    """Raises OSError, and ValueError where no record is there any more."""
    with path.open("rb") as file:
        file.seek(offset)
        if length > MAX_LINE:
            head = file.read(ENDS)
            file.seek(offset + length - ENDS)
            return _unread(head, file.read(ENDS), length)
        data = orjson.loads(file.read(length))
    if not isinstance(data, dict):
        raise ValueError("not a record")
    return _record(data)


def _record(data: dict[str, Any]) -> Record:
    sent, scores = data.get("input"), data.get("scores")
    messages = [one for one in sent if isinstance(one, dict)] if isinstance(sent, list) else []
    return Record(
        prompt=plain_text(sent),
        messages=tuple((str(one.get("role")), plain_text([one])) for one in messages),
        target=text_of(data.get("target")),
        response=text_of(data.get("response")),
        extracted=text_of(data.get("extracted")),
        error=text_of(data.get("error")),
        finish_reason=text_of(data.get("finish_reason")),
        scores=scores if isinstance(scores, dict) else {},
        metadata=text_of(data.get("metadata")) if data.get("metadata") else None,
        prompt_sha256=text_of(data.get("prompt_sha256")),
    )


def _unread(head: bytes, tail: bytes, length: int) -> Record:
    left_out = f"\n[… {length - len(head) - len(tail):,} bytes left out …]\n"
    told = head.decode("utf-8", "replace") + left_out + tail.decode("utf-8", "replace")
    return Record("", (), None, None, None, None, None, {}, None, None, too_long=told)


def text_of(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode()


def shown(text: str, limit: int = MAX_TEXT) -> str:
    """With its line ends, everything else that cannot be seen written out, and of a long text the two ends."""
    if len(text) > limit:
        head, tail = 3 * limit // 4, limit // 4
        cut = f"\n[… {len(text) - head - tail:,} characters left out …]\n"
        text = text[:head] + cut + text[-tail:]
    return "\n".join(visible(line).replace("\\t", "\t") for line in text.split("\n"))


def beginning(text: str | None) -> str:
    """The beginning of a text in one line."""
    return _gist(text or "", last=False)


def ending(text: str | None) -> str:
    """The end of a text in one line: where most answers say what they come to."""
    return _gist(text or "", last=True)


def _gist(text: str, *, last: bool) -> str:
    part = text[-4 * MAX_GIST :] if last else text[: 4 * MAX_GIST]
    line = visible(" ".join(part.split()))
    if len(line) <= MAX_GIST:
        return line
    return f"…{line[1 - MAX_GIST :]}" if last else f"{line[: MAX_GIST - 1]}…"
