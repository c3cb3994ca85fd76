"""Requests under way to the model, each asked once however many wait for its answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from bridge.endpoint.answer import Answer, EndpointDown, RequestFailed
from bridge.endpoint.client import Client
from bridge.endpoint.request import Request


@dataclass(slots=True)
class _Flight:
    request: Request
    task: asyncio.Task[Answer]
    waiting: int = 0


class Flights:
    """Identical requests share one. One that nobody waits for any more is dropped, unless it was sent: then its
    answer is paid for, and kept for whoever asks again."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._flights: dict[bytes, _Flight] = {}

    async def answer(self, request: Request) -> Answer:
        """From the cache, from a request under way, or from the server; raises as ``Client.ask`` does."""
        flight = self._flights.get(request.key)
        if flight is None:
            return self._client.find(request) or await self._wait(self._start(request))
        try:
            answer = await self._wait(flight)
        except (RequestFailed, EndpointDown) as failure:
            self._client.note_failed(request, failure)
            raise
        self._client.note_shared(request, answer)
        return Answer(answer.status, answer.body, 0, True, answer.latency_s, answer.json)

    async def close(self) -> None:
        """Gives up what is under way."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, request: Request) -> _Flight:
        flight = _Flight(request, asyncio.create_task(self._client.fetch(request)))
        self._flights[request.key] = flight
        flight.task.add_done_callback(lambda _: self._landed(flight))
        return flight

    async def _wait(self, flight: _Flight) -> Answer:
        flight.waiting += 1
        flight.request.wanted = True
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._abandon(flight)

    def _abandon(self, flight: _Flight) -> None:
        flight.request.wanted = False
        if not flight.request.on_wire:
            self._remove(flight)
            flight.task.cancel()

    def _landed(self, flight: _Flight) -> None:
        self._remove(flight)
        if not flight.task.cancelled():
            # Nobody may be left to hear of its failure.
            flight.task.exception()

    def _remove(self, flight: _Flight) -> None:
        if self._flights.get(flight.request.key) is flight:
            del self._flights[flight.request.key]
