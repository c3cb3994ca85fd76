"""The one way to a model: concurrency limit, cache, retries, circuit breaker, and a record of every request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import orjson

from bridge.endpoint.answer import Answer, EndpointDown, FailureKind, RequestFailed
from bridge.endpoint.backoff import wait_s
from bridge.endpoint.breaker import Breaker
from bridge.endpoint.cache import RequestStore
from bridge.endpoint.dialect import DIALECTS
from bridge.endpoint.key import request_key
from bridge.endpoint.request import Request
from bridge.endpoint.sse import Assembly, events
from bridge.endpoint.traffic import Record, StoreError
from bridge.endpoint.transport import Response, Transport
from bridge.endpoint.under_way import UnderWay
from bridge.endpoint.verdict import TryFailed, read_answer

__all__ = ["Answer", "Client", "EndpointDown", "RequestFailed"]


class Client:
    """Asks one endpoint; an async context manager.

    ``concurrency`` is the limit of requests on the wire. More asks than that may be open: they wait their turn, and
    one that waits for its retry, or for its answer to be on disk, leaves its place to another. So keep more asks open
    than ``concurrency``: a quarter more is enough.

    ``timeout_s`` is from sending a request to the last byte of its answer. ``max_retries`` counts the tries after the
    first. ``store`` None: nothing is cached or recorded. ``upstream`` stands for the server in the cache's keys;
    give one where a server that is started anew has another ``base_url`` each time (default: ``base_url``).
    ``rename``: the model's name in requests → the one that the server knows it by; keys have the first.
    ``shown_url`` is the URL in messages (default: ``base_url``). ``dialect`` names what this server misreads.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None,
        store: RequestStore | None,
        concurrency: int,
        max_retries: int,
        timeout_s: float,
        connect_timeout_s: float = 10,
        upstream: str | None = None,
        rename: Mapping[str, str] | None = None,
        shown_url: str = "",
        dialect: str = "",
    ) -> None:
        self.upstream = upstream or base_url
        self._transport = Transport(base_url, api_key, timeout_s, connect_timeout_s)
        self._store = store
        self._slots = asyncio.Semaphore(concurrency)
        self._max_retries = max_retries
        self._under_way = UnderWay()
        self._rename = {name: served for name, served in (rename or {}).items() if name != served}
        self._dialect = DIALECTS.get(dialect)
        self._breaker = Breaker(shown_url or self._transport.where, self._probe)

    @property
    def down(self) -> asyncio.Event:
        """Set once the endpoint is given up; from then on every ask raises ``EndpointDown``."""
        return self._breaker.down

    @property
    def down_reason(self) -> str:
        """Why the endpoint was given up and what to do, in one line; empty while it is up."""
        return self._breaker.reason

    async def __aenter__(self) -> Self:
        await self._transport.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._breaker.close()
        await self._transport.close()

    async def ask(self, path: str, body: dict[str, Any], *, job: str, repeat: int = 0) -> Answer:
        """Posts ``body`` to ``path`` (``/chat/completions`` or ``/completions``) below the base URL.

        The answer comes from the cache where it is there, and is on disk before it is returned; of equal requests at
        the same time one is sent. Of a sampling request (temperature not 0, or n > 1) each ``repeat`` is an answer of
        its own; a greedy one has one answer. ``body`` may not ask for a stream.

        Raises ``RequestFailed`` where it finally failed, ``EndpointDown`` where the server is gone (or went while this
        waited), ``StoreError`` where the answer could not be written down.
        """
        if body.get("stream"):
            raise ValueError("ask() returns whole answers: leave 'stream' out of the body")
        request = Request(path, body, job, request_key(self.upstream, path, body, repeat))
        if self._store is None:
            return await self.fetch(request)
        try:
            shared = await self._under_way.of(request.key)
        except (RequestFailed, EndpointDown) as failure:
            self.note_failed(request, failure)
            raise
        if shared is not None:
            self.note_shared(request, shared)
            return Answer(shared.status, shared.body, 0, True, shared.latency_s, shared.json)
        return await self._under_way.first(request.key, lambda: self._found_or_fetched(request))

    async def _found_or_fetched(self, request: Request) -> Answer:
        return self.find(request) or await self.fetch(request)

    def find(self, request: Request) -> Answer | None:
        """The answer from the cache, where it is there."""
        if self._store is None:
            return None
        with self._keeping():
            stored = self._store.get(request.key)
        if stored is None:
            return None
        answer = Answer(200, stored.body, 0, True, stored.latency_s or 0.0)
        self._breaker.answered_before()
        self.note_shared(request, answer)
        return answer

    async def fetch(self, request: Request) -> Answer:
        """The answer from the server; raises as ``ask`` does."""
        try:
            answer = await self._until_answered(request)
        except RequestFailed as failure:
            self.note_failed(request, failure)
            raise
        except EndpointDown as down:
            self.note_failed(request, down)
            raise
        await self._keep(request, answer)
        return answer

    def note_shared(self, request: Request, answer: Answer) -> None:
        """Records a request that was answered without one of its own."""
        if self._store:
            self._store.note(_record(request, answer.status, cached=True, latency_s=answer.latency_s))

    def note_failed(self, request: Request, failure: RequestFailed | EndpointDown) -> None:
        """Records a request that was not answered."""
        if self._store is None:
            return
        kind, status = (failure.kind, failure.status) if isinstance(failure, RequestFailed) else ("endpoint-down", 0)
        self._store.note(_record(request, status, error=kind, message=str(failure)))

    async def models(self) -> Response:
        """What the server says of its models, under the names that requests have. Raises ``TryFailed``."""
        said = await self._transport.get("/models")
        body = said.body
        for name, served in self._rename.items():
            body = body.replace(orjson.dumps(served), orjson.dumps(name))
        return said._replace(body=body)

    async def _until_answered(self, request: Request) -> Answer:
        if self._dialect and (why := self._dialect.refusal(request.path, request.body)):
            raise RequestFailed("refused-by-server", why, tries=0)
        payload = orjson.dumps(self._as_served(request.body))
        while True:
            try:
                return await self._in_turn(request, payload)
            except TryFailed as failure:
                self._breaker.try_failed(failure)
                if not failure.passing or request.tries > self._max_retries or not request.wanted:
                    await self._give_up(failure)
                    raise _finally(failure, request.tries) from None
                await self._breaker.pause(wait_s(request.tries, failure.retry_after))

    async def _give_up(self, failure: TryFailed) -> None:
        """Raises ``EndpointDown`` where it was not the request that failed, but the server that is gone."""
        if failure.kind == "connection":
            self._breaker.doubt()
            await self._breaker.verdict()
        self._breaker.finally_failed(failure)

    async def _in_turn(self, request: Request, payload: bytes) -> Answer:
        """One try, when there is room for it."""
        if request.gate is None:
            async with self._slots:
                return await self._try(request, payload)
        async with request.gate, self._slots:
            return await self._try(request, payload)

    async def _try(self, request: Request, payload: bytes) -> Answer:
        if self._breaker.in_doubt:
            await self._breaker.verdict()
        self._breaker.check()
        request.tries += 1
        request.on_wire = True
        start = time.perf_counter()
        try:
            if request.on_event is None:
                response = await self._transport.post(request.path, payload)
                read = read_answer(response.status, response.body, request.path, response.retry_after)
                body = response.body
                if self._dialect and (put_right := self._dialect.read(read, request.body)) is not read:
                    read, body = put_right, orjson.dumps(put_right)
            else:
                read, body = await self._stream(request, payload)
        finally:
            request.on_wire = False
        self._breaker.answered()
        return Answer(200, body, request.tries, False, time.perf_counter() - start, read)

    async def _stream(self, request: Request, payload: bytes) -> tuple[dict[str, Any], bytes]:
        """Passes the events on as they come; the answer they make, parsed and as a body."""
        assembly = Assembly(request.path)
        passed_on = False
        try:
            async with self._transport.stream(request.path, payload) as response:
                if response.status != 200 or response.content_type != "text/event-stream":
                    whole = await self._transport.rest(response)
                    return read_answer(whole.status, whole.body, request.path, whole.retry_after), whole.body
                async for event in events(response.content):
                    assembly.add(event)
                    request.on_event(event)  # type: ignore[misc]
                    passed_on = True
            answer = assembly.answer()
        except TryFailed as failure:
            # What was passed on cannot be taken back, so a second try would be told twice.
            failure.passing = failure.passing and not passed_on
            raise
        return answer, orjson.dumps(answer)

    async def _keep(self, request: Request, answer: Answer) -> None:
        if self._store is None:
            return
        usage = answer.usage or {}
        record = _record(
            request,
            answer.status,
            latency_s=answer.latency_s,
            prompt_tokens=usage.get("prompt_tokens"),
            completion_tokens=usage.get("completion_tokens"),
            finish_reason=answer.finish_reason,
        )
        with self._keeping():
            await self._store.add(record, answer.body)

    @contextmanager
    def _keeping(self) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            # Whatever is asked from here on would be lost, too.
            self._breaker.trip(str(error))
            raise

    def _as_served(self, body: dict[str, Any]) -> dict[str, Any]:
        body = self._dialect.asked(body) if self._dialect else body
        name = body.get("model")
        return {**body, "model": self._rename[name]} if isinstance(name, str) and name in self._rename else body

    async def _probe(self) -> str | None:
        try:
            await self._transport.get("/models")
        except TryFailed as failure:
            return failure.message
        return None


def _finally(failure: TryFailed, tries: int) -> RequestFailed:
    return RequestFailed(failure.kind, failure.message, status=failure.status, tries=tries, body=failure.body)


def _record(
    request: Request,
    status: int,
    *,
    cached: bool = False,
    prompt_tokens: int | None = None,
    completion_tokens: int | None = None,
    latency_s: float | None = None,
    finish_reason: str | None = None,
    error: FailureKind | str | None = None,
    message: str | None = None,
) -> Record:
    return Record(
        request.job,
        request.key,
        status,
        0 if cached else request.tries,
        cached,
        prompt_tokens,
        completion_tokens,
        latency_s,
        finish_reason,
        error,
        message,
        request.started_at,
    )
