"""Calls at fixed times, made to some microseconds, whatever else the loop has to do.

A timer of the event loop's rings a tenth of a millisecond late (the kernel's slack, and a core that wakes up), and
after all that is ready to be read. Arrivals that are planned would lose their distribution to that.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from math import inf

Rest = Callable[[], object]
"""What a call has put off: it is done when no other call is due."""
AWAKE_S = 150e-6
"""A sleep may end so late: nobody sleeps from so long before a call on."""
now = time.perf_counter


class Departures:
    """Calls in the order of their times. Whoever has taken a while asks ``ring`` whether one is due."""

    def __init__(self) -> None:
        self.due = inf
        """When the next is."""
        self.spun_s = 0.0
        """CPU time that was spent on waiting awake."""
        self._calls: deque[tuple[float, Callable[[], Rest]]] = deque()
        self._departed = asyncio.Event()

    async def add(self, due: float, call: Callable[[], Rest], most: int) -> None:
        """Waits while ``most`` calls are waiting."""
        while len(self._calls) >= most:
            self._departed.clear()
            await self._departed.wait()
        self._calls.append((due, call))
        self.due = self._calls[0][0]

    async def gone(self) -> None:
        """Waits until none is left."""
        while self._calls:
            self._departed.clear()
            await self._departed.wait()

    def forget(self) -> None:
        self._calls.clear()
        self.due = inf

    def ring(self) -> None:
        """Makes the calls that are due."""
        if self.due > now():
            return
        left = []
        while self.due <= now():
            _, call = self._calls.popleft()
            self.due = self._calls[0][0] if self._calls else inf
            left.append(call())
        self._departed.set()
        for rest in left:
            rest()

    def ring_when_due(self) -> None:
        """Waits for the next call, awake."""
        used = time.thread_time()
        while now() < self.due:
            pass
        self.spun_s += time.thread_time() - used
        self.ring()
