"""An OpenAI-API server on a loopback port that misbehaves on request, and remembers what it was asked.

    async with FaultServer() as server:
        server.script(Fault(status=500), Fault(status=429, retry_after="1"), OK)   # the next three requests
        server.default = Fault(latency_s=0.05)                                    # all others
        ...  # server.base_url, server.journal
        await server.stop()       # as if killed: connections break, further ones are refused
        await server.restart()    # on the same port

What it answers is a pure function of the prompt (the last user message): ``answer_to``, unless it is given another.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import pytest
from aiohttp import web

MODEL = "fault-model"
Mode = Literal[
    "answer",
    "garbage",
    "truncated",
    "empty",
    "null-content",
    "wrong-schema",
    "error-in-200",
    "hang",
    "trickle",
    "reset",
    "break-stream",
    "error-in-stream",
]


@dataclass(frozen=True)
class Fault:
    """How one request is treated. A ``status`` other than 200 is answered with an error in OpenAI's form.

    ``garbage``: 200 with HTML; ``truncated``: the body ends before its Content-Length; ``hang``: no answer until the
    server stops; ``trickle``: the body comes byte by byte, ``latency_s`` apart; ``reset``: the connection is cut
    without a response; ``break-stream``, ``error-in-stream``: half of a stream, then nothing, or an error event.
    """

    status: int = 200
    latency_s: float = 0.0
    retry_after: str | None = None
    mode: Mode = "answer"
    message: str = "scripted failure"
    code: str | None = None


OK = Fault()


@dataclass(frozen=True)
class Asked:
    """One request in the journal."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    connection: int

    @property
    def prompt(self) -> str:
        return prompt_of(self.body)


def prompt_of(body: dict[str, Any]) -> str:
    if "messages" not in body:
        prompt = body.get("prompt", "")
        return prompt if isinstance(prompt, str) else json.dumps(prompt)
    for message in reversed(body["messages"]):
        if message.get("role") == "user":
            content = message["content"]
            return content if isinstance(content, str) else json.dumps(content, sort_keys=True)
    return ""


def answer_to(prompt: str) -> str:
    number = int(hashlib.sha256(prompt.encode()).hexdigest(), 16)
    return f"Thinking about {number % 9973}.\n#### {number % 50}\nANSWER: {'ABCD'[number % 4]}"


@dataclass
class FaultServer:
    """An async context manager. ``answer`` maps a prompt to the text of the answer; ``jitter``: exponential latency."""

    default: Fault = OK
    answer: Callable[[str], str] = answer_to
    model: str = MODEL
    jitter: bool = False
    rule: Callable[[dict[str, Any]], Fault] | None = None
    """Chooses by the request's body, where nothing is scripted."""
    models: Fault = OK
    """How ``GET /models`` is treated."""
    journal: list[Asked] = field(default_factory=list)
    """Completion requests, in the order in which they came."""
    answered: list[Asked] = field(default_factory=list)
    """Of these, the ones that were given a whole and proper answer."""
    in_flight: int = 0
    peak: int = 0
    port: int = 0
    _script: deque[Fault] = field(default_factory=deque)
    _runner: web.ServerRunner | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def prompts(self) -> list[str]:
        return [asked.prompt for asked in self.journal]

    def script(self, *faults: Fault) -> None:
        """Treats the next requests like this, one each."""
        self._script.extend(faults)

    async def __aenter__(self) -> Self:
        await self.restart()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def restart(self) -> None:
        server = web.Server(self._handle, request_factory=_request, access_log=None, handler_cancellation=True)
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, backlog=4096, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Breaks every connection and refuses new ones."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        for site in list(runner.sites):
            await site.stop()
        server = runner.server
        assert server is not None
        await _cut_all(server)
        await runner.cleanup()
        await _cut_all(server)
        self.in_flight = 0

    async def _handle(self, http: web.BaseRequest) -> web.StreamResponse:
        if http.method == "GET":
            return await self._models(http)
        asked = Asked(time.time(), http.method, http.path, dict(http.headers), await http.json(), id(http.transport))
        self.journal.append(asked)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            fault = self._fault_for(asked.body)
            response = await self._treat(http, asked, fault)
            if fault.status == 200 and fault.mode in ("answer", "trickle"):
                self.answered.append(asked)
            return response
        finally:
            self.in_flight -= 1

    def _fault_for(self, body: dict[str, Any]) -> Fault:
        if self._script:
            return self._script.popleft()
        return self.rule(body) if self.rule else self.default

    async def _models(self, http: web.BaseRequest) -> web.StreamResponse:
        if self.models.mode == "hang":
            await asyncio.Event().wait()
        if self.models.status != 200:
            return _error(self.models)
        return web.json_response({"object": "list", "data": [{"id": self.model, "object": "model"}]})

    async def _treat(self, http: web.BaseRequest, asked: Asked, fault: Fault) -> web.StreamResponse:
        if fault.latency_s and fault.mode != "trickle":
            await asyncio.sleep(random.expovariate(1 / fault.latency_s) if self.jitter else fault.latency_s)
        if fault.status != 200:
            return _error(fault)
        whole = self._whole(asked)
        match fault.mode:
            case "hang":
                await asyncio.Event().wait()
            case "reset":
                _cut(http.transport)
            case "garbage":
                return web.Response(text="<html>Bad gateway</html>", content_type="text/html")
            case "empty":
                return web.Response(body=b"", content_type="application/json")
            case "wrong-schema":
                return web.json_response({"answer": "42"})
            case "error-in-200":
                return web.json_response({"error": {"message": fault.message}})
            case "null-content":
                for choice in whole["choices"]:
                    choice["message"]["content"] = None
            case "truncated" | "trickle":
                return await _in_pieces(http, json.dumps(whole).encode(), fault)
        if asked.body.get("stream"):
            return await _stream(http, whole, asked.body, fault)
        return web.json_response(whole)

    def _whole(self, asked: Asked) -> dict[str, Any]:
        is_chat = asked.path.endswith("/chat/completions")
        text = self.answer(asked.prompt)
        said = {"message": {"role": "assistant", "content": text}} if is_chat else {"text": text}
        return {
            "id": f"fault-{len(self.journal)}",
            "object": "chat.completion" if is_chat else "text_completion",
            "created": 1,
            "model": asked.body.get("model"),
            "choices": [{"index": at, **said, "finish_reason": "stop"} for at in range(asked.body.get("n") or 1)],
            "usage": {"prompt_tokens": len(asked.prompt), "completion_tokens": len(text), "total_tokens": 0},
        }


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    """Of any size: there may be images in it."""
    return web.BaseRequest(message, payload, protocol, writer, task, task.get_loop(), client_max_size=1 << 30)


async def _cut_all(server: web.Server) -> None:
    """Also the connections that are only just being accepted, which takes the loop a few turns."""
    for _ in range(5):
        for connection in server.connections:
            _cut(connection.transport)
        await asyncio.sleep(0)


def _cut(transport: asyncio.BaseTransport | None) -> None:
    """Resets the connection, as the death of a process does."""
    if isinstance(transport, asyncio.Transport):
        held = transport.get_extra_info("socket")
        if held is not None and held.fileno() >= 0:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        transport.abort()


def _error(fault: Fault) -> web.Response:
    headers = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
    error = {"message": fault.message, "type": "scripted", "param": None, "code": fault.code}
    return web.json_response({"error": error}, status=fault.status, headers=headers)


async def _in_pieces(http: web.BaseRequest, body: bytes, fault: Fault) -> web.StreamResponse:
    out = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await out.prepare(http)
    if fault.mode == "truncated":
        await out.write(body[: len(body) // 2])
        assert http.transport is not None
        http.transport.close()
        return out
    for at in range(len(body)):
        await out.write(body[at : at + 1])
        await asyncio.sleep(fault.latency_s)
    return out


async def _stream(
    http: web.BaseRequest, whole: dict[str, Any], body: dict[str, Any], fault: Fault
) -> web.StreamResponse:
    """Word by word, each a chunk; then how it finished, then the usage where it was asked for."""
    out = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await out.prepare(http)
    chunks = list(_chunks(whole, body))
    if fault.mode in ("break-stream", "error-in-stream"):
        chunks = chunks[: len(chunks) // 2]
    for chunk in chunks:
        await out.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    if fault.mode == "error-in-stream":
        await out.write(b'data: {"error": {"message": "engine died"}}\n\n')
    elif fault.mode == "break-stream":
        _cut(http.transport)
    else:
        await out.write(b"data: [DONE]\n\n")
    return out


def _chunks(whole: dict[str, Any], body: dict[str, Any]) -> list[dict[str, Any]]:
    is_chat = whole["object"] == "chat.completion"
    head = {"id": whole["id"], "created": 1, "model": whole["model"]}
    head["object"] = "chat.completion.chunk" if is_chat else "text_completion"
    chunks: list[dict[str, Any]] = []
    for choice in whole["choices"]:
        text = choice["message"]["content"] if is_chat else choice["text"]
        for word in (text or "").splitlines(keepends=True) or [""]:
            said = {"delta": {"role": "assistant", "content": word}} if is_chat else {"text": word}
            chunks.append({**head, "choices": [{"index": choice["index"], **said, "finish_reason": None}]})
        end: dict[str, Any] = {"delta": {}} if is_chat else {"text": ""}
        chunks.append({**head, "choices": [{"index": choice["index"], **end, "finish_reason": "stop"}]})
    if (body.get("stream_options") or {}).get("include_usage"):
        chunks.append({**head, "choices": [], "usage": whole["usage"]})
    return chunks


@pytest.fixture
async def fault_server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as server:
        yield server
