"""What the gateway says to a framework: an answer, an error in OpenAI's form, or a marked placeholder."""

from __future__ import annotations

import time
from typing import Any, Protocol

import orjson
from aiohttp import web

from bridge.endpoint.answer import Answer, EndpointDown, RequestFailed
from bridge.endpoint.flights import Flights
from bridge.endpoint.request import Request
from bridge.endpoint.traffic import StoreError

_NO_RETRY = {"x-should-retry": "false"}
"""Keeps OpenAI's SDK from asking again: the gateway has done that already."""

Failure = RequestFailed | EndpointDown | StoreError


class Reply(Protocol):
    """How one request is replied to: ``ask`` first, then one of the others."""

    async def ask(self, flights: Flights, request: Request) -> Answer: ...

    async def answered(self, answer: Answer) -> web.StreamResponse: ...

    async def failed(self, status: int, message: str) -> web.StreamResponse: ...

    async def stand_in(self, answer: dict[str, Any]) -> web.StreamResponse:
        """Replies with an answer that is no model's."""
        ...


class WholeReply:
    """One JSON body."""

    async def ask(self, flights: Flights, request: Request) -> Answer:
        return await flights.answer(request)

    async def answered(self, answer: Answer) -> web.StreamResponse:
        return web.Response(body=presentable(answer), content_type="application/json")

    async def failed(self, status: int, message: str) -> web.StreamResponse:
        return error(status, message)

    async def stand_in(self, answer: dict[str, Any]) -> web.StreamResponse:
        return web.Response(body=orjson.dumps(answer), content_type="application/json")


def error(status: int, message: str) -> web.Response:
    body = orjson.dumps(error_body(status, message))
    return web.Response(status=status, body=body, content_type="application/json", headers=_NO_RETRY)


def error_body(status: int, message: str) -> dict[str, Any]:
    kind = "invalid_request_error" if status < 500 else "api_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def status_of(failure: Failure) -> int:
    """The HTTP status that stands for a final failure."""
    if isinstance(failure, RequestFailed):
        return failure.status if failure.status >= 400 else 504 if failure.kind == "timeout" else 502
    return 503 if isinstance(failure, EndpointDown) else 507


def presentable(answer: Answer) -> bytes:
    """The answer's body as frameworks can take it: where the model said nothing, an empty text and not null."""
    choices = answer.json["choices"]
    if not any(_is_mute(choice) for choice in choices):
        return answer.body
    spoken = [_with_empty_text(choice) if _is_mute(choice) else choice for choice in choices]
    return orjson.dumps({**answer.json, "choices": spoken})


def placeholder(path: str, body: dict[str, Any], text: str) -> dict[str, Any]:
    """A well-formed answer that says ``text`` in each of its choices."""
    is_chat = path.endswith("/chat/completions")
    said: dict[str, Any] = {"message": {"role": "assistant", "content": text}} if is_chat else {"text": text}
    wanted = body.get("n")
    count = wanted if isinstance(wanted, int) and 0 < wanted <= 1024 else 1
    return {
        "id": "unanswered",
        "object": "chat.completion" if is_chat else "text_completion",
        "created": int(time.time()),
        "model": body.get("model") or "",
        "choices": [{"index": at, **said, "logprobs": None, "finish_reason": "stop"} for at in range(count)],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }


def _is_mute(choice: dict[str, Any]) -> bool:
    message = choice.get("message")
    if message is None or message.get("content") is not None:
        return False
    return not (message.get("tool_calls") or message.get("function_call"))


def _with_empty_text(choice: dict[str, Any]) -> dict[str, Any]:
    return {**choice, "message": {**choice["message"], "content": ""}}
