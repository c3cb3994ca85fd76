"""The one door between every framework and the model: a loopback server that speaks OpenAI's API.

It knows every request that failed, whatever the framework says, and keeps the real key to itself.
"""

from __future__ import annotations

import asyncio
import re
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote, unquote

import orjson
from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import RequestHandler

from bridge.endpoint import replies
from bridge.endpoint.answer import Answer, EndpointDown, RequestFailed
from bridge.endpoint.client import Client
from bridge.endpoint.flights import Flights
from bridge.endpoint.job import Counts, GatewayJob
from bridge.endpoint.key import digest, is_sampling, nth
from bridge.endpoint.replies import Reply, WholeReply
from bridge.endpoint.request import Request
from bridge.endpoint.streaming import EventReply
from bridge.endpoint.traffic import StoreError
from bridge.endpoint.verdict import TryFailed

_COMPLETIONS = ("/chat/completions", "/completions")
_EXISTS = "POST /chat/completions, POST /completions and GET /models"
_ROUTE = re.compile(r"/s/([^/]+)/v1(/.*)")
_LARGEST_BODY = 256 << 20
"""Images come as text inside the request."""
_BACKLOG = 4096


class Gateway:
    """An async context manager. Every request needs ``token``, and a job that is registered.

    ``failed_marker`` is the text of the answer that stands in for a request that finally failed, where its job wants
    placeholders.
    """

    def __init__(self, client: Client, *, token: str, failed_marker: str, host: str = "127.0.0.1") -> None:
        self.token = token
        self.failed_marker = failed_marker
        self._client = client
        self._host = host
        self._expected = f"Bearer {token}".encode()
        self._flights = Flights(client)
        self._jobs: dict[str, GatewayJob] = {}
        self._runner: web.ServerRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        server = web.Server(self._handle, request_factory=_request, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=0.05)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, 0, backlog=_BACKLOG).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def listen_at(self, socket: Path) -> None:
        """Answers on a Unix socket as well."""
        assert self._runner is not None
        await web.UnixSite(self._runner, socket, backlog=_BACKLOG).start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner:
            await self._runner.cleanup()
        await self._flights.close()

    def job_url(self, job_id: str) -> str:
        """The base URL for a framework whose requests are to be counted as this job's."""
        return f"http://{self._host}:{self.port}/s/{quote(job_id, safe='')}/v1"

    def register(self, job_id: str, *, on_failure: Literal["error", "placeholder"], concurrency: int) -> None:
        """Opens the door to a job; ``concurrency`` is its share of the client's. Again: a new start of the job."""
        self._jobs[job_id] = GatewayJob(job_id, on_failure, concurrency)

    def knows(self, job_id: str) -> bool:
        return job_id in self._jobs

    def counts(self, job_id: str) -> Counts:
        """How the job's requests stand at this moment."""
        return self._jobs[job_id].counts()

    async def _handle(self, http: web.BaseRequest) -> web.StreamResponse:
        given = http.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not compare_digest(given, self._expected):
            return replies.error(401, "the token of this run is missing or wrong: send it as 'Authorization: Bearer …'")
        route = _ROUTE.fullmatch(http.rel_url.raw_path)
        job = self._jobs.get(unquote(route[1])) if route else None
        if route is None or job is None:
            return replies.error(404, f"{http.rel_url.raw_path}: no such job here; base URLs have the form /s/<job>/v1")
        if http.method == "GET" and route[2] == "/models":
            return await self._models()
        if http.method != "POST":
            return replies.error(404, _no_such(http))
        with job.counted():
            return await self._complete(http, job, route[2])

    async def _complete(self, http: web.BaseRequest, job: GatewayJob, path: str) -> web.StreamResponse:
        request = Request(path, {}, job.name, sha256(path.encode()).digest(), gate=job.gate)
        reply: Reply = WholeReply()
        try:
            request.body = await self._read(http, request)
            reply = _reply_to(http, request.body)
            answer = await self._answer(job, request, reply)
        except (RequestFailed, EndpointDown, StoreError) as failure:
            job.failed(request.key)
            if job.on_failure == "placeholder" and path in _COMPLETIONS:
                return await reply.stand_in(replies.placeholder(path, request.body, self.failed_marker))
            return await reply.failed(replies.status_of(failure), str(failure))
        job.answered(request.key, cached=answer.cached)
        return await reply.answered(answer)

    async def _read(self, http: web.BaseRequest, request: Request) -> dict[str, Any]:
        try:
            return await _json_body(http, request.path)
        except RequestFailed as refusal:
            self._client.note_failed(request, refusal)
            raise

    async def _answer(self, job: GatewayJob, request: Request, reply: Reply) -> Answer:
        of_request = digest(self._client.upstream, request.path, request.body)
        with job.repeat(of_request, samples=is_sampling(request.body)) as repeat:
            request.key = nth(of_request, repeat)
            return await reply.ask(self._flights, request)

    async def _models(self) -> web.Response:
        try:
            listed = await self._client.models()
        except TryFailed as failure:
            return replies.error(502, failure.message)
        return web.Response(status=listed.status, body=listed.body, content_type="application/json")


def _reply_to(http: web.BaseRequest, body: dict[str, Any]) -> Reply:
    if not body.get("stream"):
        return WholeReply()
    options = body.get("stream_options")
    return EventReply(http, with_usage=isinstance(options, dict) and bool(options.get("include_usage")))


async def _json_body(http: web.BaseRequest, path: str) -> dict[str, Any]:
    """Raises ``RequestFailed`` where the gateway does not take the request."""
    if path not in _COMPLETIONS:
        raise _refused(404, _no_such(http))
    try:
        raw = await http.read()
        body = orjson.loads(raw)
    except web.HTTPRequestEntityTooLarge:
        raise _refused(413, f"the request is larger than {_LARGEST_BODY >> 20} MiB") from None
    except (web.RequestPayloadError, orjson.JSONDecodeError) as error:
        raise _refused(400, f"the request's body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise _refused(400, "the request's body is no JSON object")
    return body


def _refused(status: int, message: str) -> RequestFailed:
    return RequestFailed("refused-by-server", message, status=status, tries=0)


def _no_such(http: web.BaseRequest) -> str:
    return f"{http.method} {http.rel_url.raw_path}: not offered here; there are {_EXISTS} below the base URL"


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    return web.BaseRequest(message, payload, protocol, writer, task, task.get_loop(), client_max_size=_LARGEST_BODY)
