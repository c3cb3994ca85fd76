"""Bytes with the times at which they came → what a streamed answer was.  Pure, and run after the answer has ended.

An event's time is that of the read which completed it. What counts as an event of the stream is content, reasoning
or tool text: a role alone, usage, ``[DONE]`` and comments are none.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

_END_OF_EVENT = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE = re.compile(rb"\r\n|\n|\r")
REASONING = ("reasoning_content", "reasoning")


@dataclass
class Answer:
    """A streamed answer, read."""

    times: array[float] = field(default_factory=lambda: array("d"))
    """Of each event with content, reasoning or tool text."""
    first_output: float | None = None
    """Of the first event that is not reasoning."""
    shared: list[tuple[int, int]] = field(default_factory=list)
    """Pieces that came in one read with an earlier event: the piece's number, and how many events it has."""
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_tokens: int | None = None
    """Tokens in the first event, where the server counts as it goes."""
    cached_tokens: int | None = None
    done: bool = False
    """``[DONE]`` was seen."""
    error: str | None = None
    """An error that came as an event, or an event that is no JSON."""
    text: list[str] = field(default_factory=list)
    """The answer's pieces without its reasoning, where they are kept."""
    reasoning: list[str] = field(default_factory=list)
    """Those of its reasoning."""


def read_stream(
    pieces: Sequence[bytes], times: Sequence[float], reads: Sequence[float] = (), *, keep_text: bool = False
) -> Iterator[Answer]:
    """The answer in ``pieces``, each of which came at the time beside it; yields it as it grows, last whole.

    ``reads`` tells which pieces came in one read: theirs are equal. It stops now
    and then, so that whoever has other things to do can do them in between.
    """
    answer = Answer()
    rest, before_read = b"", None
    reads = reads or range(len(pieces))
    for number, (piece, at) in enumerate(zip(pieces, times, strict=True)):
        before = len(answer.times)
        if (
            not rest
            and piece[:6] == b"data: "
            and piece[-2:] == b"\n\n"
            and piece.count(b"\n") == 2
            and b"\r" not in piece
        ):
            # As nearly every piece is: one event of one line.
            _read_payload(answer, piece[6:-2], at, keep_text=keep_text)
        else:
            rest = _take(answer, rest + piece if rest else piece, at, keep_text=keep_text)
        if came := len(answer.times) - before:
            if beside := came - (reads[number] != before_read):
                answer.shared.append((number, beside))
            before_read = reads[number]
        if number % 32 == 31:
            yield answer
    if rest.strip():
        # Some servers end the last event with the connection.
        _take(answer, rest + b"\n\n", times[-1], keep_text=keep_text)
    yield answer


def _take(answer: Answer, data: bytes, at: float, *, keep_text: bool) -> bytes:
    """Reads the whole events at the beginning of ``data``; returns the rest."""
    *events, rest = _events(data)
    for one in events:
        payload = _payload(one)
        if payload is not None:
            _read_payload(answer, payload, at, keep_text=keep_text)
    return rest


def _read_payload(answer: Answer, payload: bytes, at: float, *, keep_text: bool) -> None:
    if payload == b"[DONE]":
        answer.done = True
        return
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        answer.error = answer.error or f"an event that is no JSON: {payload[:80].decode(errors='replace')}"
        return
    if isinstance(value, dict):
        _read_event(answer, value, at, keep_text=keep_text)


def _events(data: bytes) -> list[bytes]:
    # Nearly every server ends events with two line feeds; the split is then several times faster.
    if b"\r" not in data:
        return data.split(b"\n\n")
    if data.endswith(b"\r"):
        # Its line feed may be in the next piece.
        *whole, rest = _END_OF_EVENT.split(data[:-1])
        return [*whole, rest + b"\r"]
    return _END_OF_EVENT.split(data)


def _payload(event: bytes) -> bytes | None:
    """What the event's ``data:`` lines hold; None for comments and other fields."""
    if event.startswith(b"data: ") and b"\n" not in event and b"\r" not in event:
        return event[6:]
    lines = [line[5:].removeprefix(b" ") for line in _LINE.split(event) if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None


def _read_event(answer: Answer, value: dict[str, Any], at: float, *, keep_text: bool) -> None:
    if value.get("error"):
        answer.error = answer.error or error_text(value["error"])
        return
    usage = value.get("usage")
    choices = value.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        _read_choice(answer, choices[0], at, keep_text=keep_text)
    if isinstance(usage, dict):
        _read_usage(answer, usage)


def _read_choice(answer: Answer, choice: dict[str, Any], at: float, *, keep_text: bool) -> None:
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        delta = {"content": choice.get("text")}
    output = delta.get("content") or delta.get("tool_calls") or delta.get("function_call")
    if output:
        answer.times.append(at)
        if answer.first_output is None:
            answer.first_output = at
    elif any(delta.get(name) for name in REASONING):
        answer.times.append(at)
    if keep_text:
        answer.text += [delta["content"]] if isinstance(delta.get("content"), str) else []
        answer.reasoning += [delta[name] for name in REASONING if isinstance(delta.get(name), str)]
    if choice.get("finish_reason"):
        answer.finish_reason = str(choice["finish_reason"])


def _read_usage(answer: Answer, usage: dict[str, Any]) -> None:
    tokens = usage.get("completion_tokens")
    if isinstance(tokens, int):
        if len(answer.times) == 1 and answer.first_tokens is None and answer.finish_reason is None:
            answer.first_tokens = tokens
        answer.completion_tokens = tokens
    if isinstance(usage.get("prompt_tokens"), int):
        answer.prompt_tokens = usage["prompt_tokens"]
    details = usage.get("prompt_tokens_details")
    if isinstance(details, dict) and isinstance(details.get("cached_tokens"), int):
        answer.cached_tokens = details["cached_tokens"]


def error_text(error: object) -> str:
    """The message of an OpenAI-style error, whatever shape it has."""
    if isinstance(error, dict):
        error = error.get("message") or error.get("code") or error
    return " ".join(str(error).split())[:300]
