"""Answers as streams of server-sent events: read, put together into one answer, and told again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import orjson

from bridge.endpoint.verdict import TryFailed, server_message, what_is_wrong

DONE = b"data: [DONE]\n\n"
_EVENT_END = re.compile(rb"\r?\n\r?\n")
_LARGEST_EVENT = 16 << 20

Json = dict[str, Any]


def event(data: Json) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(data)


async def events(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Each event as it came, without the empty line that ends it."""
    buffer = b""
    async for piece in stream.iter_any():
        *whole, buffer = _EVENT_END.split(buffer + piece)
        for one in whole:
            yield one
        if len(buffer) > _LARGEST_EVENT:
            raise _broken("answered with an event that does not end")
    if buffer.strip():
        yield buffer


class Assembly:
    """The one answer that a stream's chunks come to."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._is_chat = path.endswith("/chat/completions")
        self._head: Json = {}
        self._usage: Json | None = None
        self._choices: dict[int, Json] = {}

    def add(self, one: bytes) -> None:
        """Takes an event. Raises ``TryFailed`` where it is an error or no JSON."""
        data = b"\n".join(line[5:].strip() for line in one.splitlines() if line.startswith(b"data:"))
        if not data or data == b"[DONE]":
            return
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise _broken(f"sent an event that is not JSON ({error})") from None
        if not isinstance(chunk, dict) or chunk.get("error"):
            raise _broken(f"broke off with an error: {server_message(data)}")
        self._take(chunk)

    def answer(self) -> Json:
        """The whole. Raises ``TryFailed`` where the stream ended before the answer did."""
        choices = [self._choices[index] for index in sorted(self._choices)]
        if not choices or any(choice["finish_reason"] is None for choice in choices):
            raise _broken("the stream broke off before its end")
        whole = {**self._head, "object": "chat.completion" if self._is_chat else "text_completion"}
        whole |= {"choices": choices} | ({"usage": self._usage} if self._usage else {})
        if wrong := what_is_wrong(whole, self._path):
            raise _broken(wrong)
        return whole

    def _take(self, chunk: Json) -> None:
        if not self._head:
            self._head = {name: value for name, value in chunk.items() if name not in ("choices", "usage", "object")}
        self._usage = chunk.get("usage") or self._usage
        for part in chunk.get("choices") or ():
            if not isinstance(part, dict):
                raise _broken("sent a choice that is no object")
            choice = self._choices.setdefault(part.get("index", 0), self._new_choice(part.get("index", 0)))
            choice["finish_reason"] = part.get("finish_reason") or choice["finish_reason"]
            if self._is_chat:
                _merge(choice["message"], part.get("delta") or {})
            else:
                choice["text"] += part.get("text") or ""
            if part.get("logprobs"):
                _merge(choice.setdefault("logprobs", {}), part["logprobs"])

    def _new_choice(self, index: int) -> Json:
        content: Json = {"message": {"role": "assistant", "content": None}} if self._is_chat else {"text": ""}
        return {"index": index, **content, "finish_reason": None}


def replay(answer: Json, *, with_usage: bool) -> Iterator[bytes]:
    """An answer as the events of a stream: all of it, how it finished, its usage where that was asked for."""
    is_chat = "message" in answer["choices"][0]
    kind = "chat.completion.chunk" if is_chat else "text_completion"
    head = {name: value for name, value in answer.items() if name not in ("choices", "usage")} | {"object": kind}
    for choice in answer["choices"]:
        content = {"delta": _as_delta(choice["message"])} if is_chat else {"text": choice["text"]}
        place = {"index": choice.get("index", 0)}
        logprobs = {"logprobs": choice["logprobs"]} if choice.get("logprobs") else {}
        yield event({**head, "choices": [{**place, **content, **logprobs, "finish_reason": None}]})
        end: Json = {"delta": {}} if is_chat else {"text": ""}
        yield event({**head, "choices": [{**place, **end, "finish_reason": choice.get("finish_reason") or "stop"}]})
    if with_usage and answer.get("usage"):
        yield event({**head, "choices": [], "usage": answer["usage"]})
    yield DONE


def _as_delta(message: Json) -> Json:
    calls = message.get("tool_calls")
    return message | {"tool_calls": [{"index": at, **call} for at, call in enumerate(calls)]} if calls else message


def _merge(whole: Json, part: Json) -> None:
    """Adds a delta: texts and lists grow, tool calls are told apart by their index, the rest is replaced."""
    for name, value in part.items():
        if value is None:
            whole.setdefault(name, None)
        elif name == "tool_calls":
            _merge_calls(whole, value)
        elif isinstance(value, str) and name not in ("role", "id", "type"):
            whole[name] = (whole.get(name) or "") + value
        elif isinstance(value, list):
            whole[name] = (whole.get(name) or []) + value
        elif isinstance(value, dict) and isinstance(whole.get(name), dict):
            _merge(whole[name], value)
        else:
            whole[name] = value


def _merge_calls(message: Json, calls: list[Json]) -> None:
    known = message.get("tool_calls") or []
    for call in calls:
        at = call.get("index", len(known))
        known += [{} for _ in range(at + 1 - len(known))]
        _merge(known[at], {name: value for name, value in call.items() if name != "index"})
    message["tool_calls"] = known


def _broken(what: str) -> TryFailed:
    return TryFailed("garbage", what, passing=True, status=200)
