"""One job as the gateway sees it: its share, its counts, and which repeat of a request is next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Literal, NamedTuple


class Counts(NamedTuple):
    """A job's requests at one moment."""

    requests: int
    """As the framework made them; its own retries count again."""
    cached: int
    """Answered without a request of their own."""
    failed: int
    """Different requests that finally failed, and were not answered since."""
    in_flight: int


@dataclass(slots=True)
class GatewayJob:
    name: str
    on_failure: Literal["error", "placeholder"]
    concurrency: int
    requests: int = 0
    cached: int = 0
    in_flight: int = 0
    gate: asyncio.Semaphore = field(init=False)
    _failed: set[bytes] = field(default_factory=set)
    _asked: dict[int, int] = field(default_factory=dict)
    """How often each sampling request was made, by the first eight bytes of its hash."""
    _given_back: dict[int, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gate = asyncio.Semaphore(self.concurrency)

    def counts(self) -> Counts:
        return Counts(self.requests, self.cached, len(self._failed), self.in_flight)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Around one request."""
        self.requests += 1
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def answered(self, key: bytes, *, cached: bool) -> None:
        self.cached += cached
        self._failed.discard(key)

    def failed(self, key: bytes) -> None:
        self._failed.add(key)

    @contextmanager
    def repeat(self, of_request: bytes, *, samples: bool) -> Iterator[int]:
        """The number of this repeat of a sampling request, from 0; always 0 for a greedy one.

        Numbers are given in the order of asking, so a job that runs again gets the same answers again; the number
        of a repeat that got no answer goes to the next that asks.
        """
        if not samples:
            yield 0
            return
        short = int.from_bytes(of_request[:8])
        number = self._next(short)
        try:
            yield number
        except BaseException:
            heappush(self._given_back.setdefault(short, []), number)
            raise

    def _next(self, short: int) -> int:
        if free := self._given_back.get(short):
            number = heappop(free)
            if not free:
                del self._given_back[short]
            return number
        number = self._asked.get(short, 0)
        self._asked[short] = number + 1
        return number
