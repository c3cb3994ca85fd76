"""A reply as a stream: the model's events are passed on as they come, an answer that is there already is told anew."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from aiohttp import web

from bridge.endpoint.answer import Answer
from bridge.endpoint.flights import Flights
from bridge.endpoint.replies import error, error_body
from bridge.endpoint.request import Request
from bridge.endpoint.sse import DONE, event, replay

_HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}


class EventReply:
    """``with_usage``: the request asked for the usage at the end of the stream."""

    def __init__(self, http: web.BaseRequest, *, with_usage: bool) -> None:
        self._http = http
        self._with_usage = with_usage
        self._out: web.StreamResponse | None = None
        """Begun with the first event; before that a failure can still be told by its status."""

    async def ask(self, flights: Flights, request: Request) -> Answer:
        came: asyncio.Queue[bytes | None] = asyncio.Queue()
        request.on_event = came.put_nowait
        asking = asyncio.create_task(flights.answer(request))
        asking.add_done_callback(lambda _: came.put_nowait(None))
        try:
            while (one := await came.get()) is not None:
                # The end is told when the answer is on disk, not before.
                if one.strip() != DONE.strip():
                    await self._tell([one + b"\n\n"])
            return asking.result()
        finally:
            asking.cancel()

    async def answered(self, answer: Answer) -> web.StreamResponse:
        return await self._end([DONE] if self._out else replay(answer.json, with_usage=self._with_usage))

    async def failed(self, status: int, message: str) -> web.StreamResponse:
        return await self._end([event(error_body(status, message))]) if self._out else error(status, message)

    async def stand_in(self, answer: dict[str, Any]) -> web.StreamResponse:
        return await self._end(replay(answer, with_usage=self._with_usage))

    async def _end(self, events: Iterable[bytes]) -> web.StreamResponse:
        out = await self._tell(events)
        with suppress(ConnectionError):
            await out.write_eof()
        return out

    async def _tell(self, events: Iterable[bytes]) -> web.StreamResponse:
        """A client that went away is told nothing; the answer is still waited for, and kept."""
        if self._out is None:
            self._out = web.StreamResponse(headers=_HEADERS)
            await self._out.prepare(self._http)
        with suppress(ConnectionError):
            for one in events:
                await self._out.write(one)
        return self._out
