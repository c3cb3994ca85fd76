"""Requests of one client that are under way: an equal one is not sent, it waits for the answer of the first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bridge.endpoint.answer import Answer


class UnderWay:
    """Without a task of its own for each request, which is what ``Flights`` needs for callers that may hang up."""

    def __init__(self) -> None:
        self._landing: dict[bytes, asyncio.Future[Answer]] = {}

    async def of(self, key: bytes) -> Answer | None:
        """The answer of the request under way, or its failure; None where there is none."""
        while (first := self._landing.get(key)) is not None:
            await asyncio.wait([first])
            if not first.cancelled():
                return first.result()
        return None

    async def first(self, key: bytes, fetch: Callable[[], Awaitable[Answer]]) -> Answer:
        """What ``fetch`` answers; until then ``of`` waits for it. Where it is cancelled, the next one asks itself."""
        landing = self._landing[key] = asyncio.get_running_loop().create_future()
        try:
            answer = await fetch()
        except asyncio.CancelledError:
            landing.cancel()
            raise
        except BaseException as error:
            landing.set_exception(error)
            landing.exception()  # nobody may be waiting for it
            raise
        else:
            landing.set_result(answer)
            return answer
        finally:
            del self._landing[key]
