"""Drives one load point, or one process's share of it: sends when it is time to, and hands over what came back."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from bridge.native.perf.digest import DRAIN, STALL, Rules, digest
from bridge.native.perf.prompts import Prompts, Shot
from bridge.native.perf.record import Record
from bridge.native.perf.schedule import Planned, Point, schedule
from bridge.native.perf.watch import Watch, Watchful
from bridge.native.perf.wire import Exchange, Pool, Target, Wire
from bridge.perf_spec import PerfBlock, seconds

GONE_AFTER = 5
"""So many connections refused one after the other, and the server is taken for dead."""
ENOUGH_TO_JUDGE = 20
OPEN_WARMUP = 10
READY_S = 0.1
"""So much of an open load finds a connection open."""
SWEEP_S = 0.25
DIGEST_SLICE_S = 0.4e-3
Begun = tuple[Wire, Exchange, bool]
"""An exchange under way, its connection, and whether that had been used before."""
now = time.perf_counter


@dataclass
class Counts:
    """Of the measured requests so far."""

    sent: int = 0
    unsent: int = 0
    finished: int = 0
    failed: int = 0
    reconnected: int = 0
    refused: int = 0
    """Connections refused, one after the other."""


@dataclass
class Driver:
    """One share of one point. ``write`` gets each record when it is whole."""

    point: Point
    perf: PerfBlock
    prompts: Prompts
    target: Target
    watch: Watch
    watchful: Watchful
    write: Callable[[Record], None]
    share: int = 0
    of: int = 1
    counts: Counts = field(default_factory=Counts)
    stopped: str = ""
    """Why it ended before its time."""
    start: float = 0.0
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _has_ended: asyncio.Event = field(default_factory=asyncio.Event)
    _flying: dict[int, tuple[Any, Exchange]] = field(default_factory=dict)
    _waiting: deque[tuple[Record, Exchange, Shot]] = field(default_factory=deque)
    _numbers: int = 0
    _measured_from: float | None = None

    def __post_init__(self) -> None:
        self._pool = Pool(self.target, self.watchful)
        users = self._users() if self.point.kind == "closed" else 0
        given, stop = self.perf.warmup, self.perf.stop
        default = 0 if given.duration else users if users else self._mine(OPEN_WARMUP)
        self._warm_requests = default if given.requests is None else self._mine(given.requests)
        self._warm_s = seconds(given.duration) if given.duration else 0.0
        self._most = None if stop.requests is None else max(1, self._mine(stop.requests))
        self._duration = None if stop.duration is None else seconds(stop.duration)

    def _mine(self, n: int) -> int:
        return n // self.of + (self.share < n % self.of)

    def _users(self) -> int:
        return self._mine(int(self.point.value))

    # The whole ----------------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Opens the connections that are needed at once. Raises OSError."""
        at_first = max(8, int(self.point.value * READY_S)) if self.point.kind == "open" else 8
        wanted = self._users() if self.point.kind == "closed" else min(at_first, self._mine(self.point.max_in_flight))
        await self._pool.prepare(wanted)

    async def run(self, start: float) -> None:
        """To its end, from ``start`` (of ``perf_counter``) on."""
        self.start = start
        await asyncio.sleep(max(0.0, start - now()))
        helpers = [asyncio.create_task(self._sweep()), asyncio.create_task(self._digest_all())]
        try:
            with self.watch.on():
                await (self._closed() if self.point.kind == "closed" else self._open())
            while self._waiting:
                await asyncio.sleep(0.001)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            self._pool.close()

    def stop(self, why: str) -> None:
        """Nothing more is sent; what is under way is waited for."""
        self.stopped = self.stopped or why
        self._over.set()

    # Closed -------------------------------------------------------------------------------------------------------

    async def _closed(self) -> None:
        users = [asyncio.create_task(self._user(number)) for number in range(self._users())]
        timer = asyncio.create_task(self._over.wait())
        await asyncio.wait({*users, timer}, return_when=asyncio.FIRST_COMPLETED)
        self._over.set()
        await self._drained(users)

    async def _user(self, user: int) -> None:
        conversation, before = 0, None
        while not self._is_over():
            if self.perf.prompts.turns > 1:
                conversation += 1
                await self._converse(user * 100_000 + conversation)
                continue
            number, warm = self._next()
            record = Record(self._global(number), warm, None, 0.0, None)
            if before is not None:
                record.refill_s = now() - before
            await self._ask(record, self.prompts.shot(record.number))
            before = now()

    async def _converse(self, session: int) -> None:
        messages: list[dict[str, Any]] = []
        for turn in range(self.perf.prompts.turns):
            if turn:
                await asyncio.sleep(seconds(self.perf.prompts.think))
            if self._is_over():
                return
            number, warm = self._next()
            record = Record(self._global(number), warm, None, 0.0, None, session=self._global(session) + 1, turn=turn)
            messages.append(self.prompts.question(self._global(session), turn))
            said = await self._ask(record, self.prompts.conversation(messages))
            if said is None:
                return
            messages.append({"role": "assistant", "content": said})

    def _next(self) -> tuple[int, bool]:
        number = self._numbers
        self._numbers += 1
        warm = number < self._warm_requests or now() - self.start < self._warm_s
        if not warm and self._measured_from is None:
            self._measured_from = now()
        return number, warm

    def _global(self, number: int) -> int:
        return number * self.of + self.share

    def _is_over(self) -> bool:
        if self._over.is_set():
            return True
        enough = self._most is not None and self.counts.sent >= self._most
        late = (
            self._duration is not None
            and self._measured_from is not None
            and now() - self._measured_from >= self._duration
        )
        if enough or late:
            self._over.set()
        return enough or late

    # Open ---------------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        flights: set[asyncio.Task[Any]] = set()
        for planned in schedule(self.point, self.perf.seed, share=self.share, of=self.of):
            shot = self._shot(planned)
            request = self.target.request(shot.body)
            due = self.start + planned.at_s
            if (left := due - now()) > 0:
                await asyncio.sleep(left)
            if self._is_over_at(planned):
                break
            self._numbers += 1
            record = Record(planned.number, self._is_warm(planned), planned.at_s, 0.0, None)
            if len(self._flying) >= self._mine(self.point.max_in_flight):
                self.counts.unsent += not record.warm
                continue
            flight = asyncio.create_task(self._flight(record, shot, request, planned.number))
            flights.add(flight)
            flight.add_done_callback(flights.discard)
        self._over.set()
        await self._drained(list(flights))

    def _flight(self, record: Record, shot: Shot, request: bytes, session: int) -> Coroutine[Any, Any, Any]:
        """What is left to do of a request; where a connection is open, it is sent at once."""
        if self.perf.prompts.turns > 1 and self.point.kind != "trace":
            return self._visit(record, session)
        self._count(record, shot)
        wire = self._pool.take()
        begun = None if wire is None else self._begin(wire, record, request)
        return self._answered(record, shot, request, begun)

    async def _visit(self, record: Record, session: int) -> None:
        """A conversation that begins when it was planned."""
        messages = [self.prompts.question(session, 0)]
        record.session = session + 1
        said = await self._ask(record, self.prompts.conversation(messages))
        for turn in range(1, self.perf.prompts.turns):
            await asyncio.sleep(seconds(self.perf.prompts.think))
            if said is None or self._over.is_set():
                return
            messages += [{"role": "assistant", "content": said}, self.prompts.question(session, turn)]
            # A later turn has no place in the schedule: it is sent when the user has read the answer.
            later = Record(session * 1000 + turn, record.warm, None, 0.0, None, session=session + 1, turn=turn)
            said = await self._ask(later, self.prompts.conversation(messages))

    def _shot(self, planned: Planned) -> Shot:
        if planned.input_tokens:
            return self.prompts.of_length(planned.number, planned.input_tokens, planned.output_tokens, planned.blocks)
        return self.prompts.shot(planned.number)

    def _is_warm(self, planned: Planned) -> bool:
        return self.point.kind != "trace" and (self._numbers - 1 < self._warm_requests or planned.at_s < self._warm_s)

    def _is_over_at(self, planned: Planned) -> bool:
        """A trace ends with its file."""
        if self._measured_from is None and self._numbers >= self._warm_requests and planned.at_s >= self._warm_s:
            self._measured_from = self.start + planned.at_s
        if self.point.kind == "trace":
            return self._over.is_set()
        sent = self.counts.sent + self.counts.unsent
        past = (
            self._duration is not None
            and self._measured_from is not None
            and self.start + planned.at_s - self._measured_from >= self._duration
        )
        return self._over.is_set() or past or (self._most is not None and sent >= self._most)

    # One request --------------------------------------------------------------------------------------------------

    async def _ask(self, record: Record, shot: Shot) -> str | None:
        """Sends it and waits for its end; returns what was said, where that is needed for the next turn."""
        self._count(record, shot)
        return await self._answered(record, shot, self.target.request(shot.body), None)

    def _count(self, record: Record, shot: Shot) -> None:
        if not record.warm:
            self.counts.sent += 1
        record.asked_tokens = shot.max_tokens

    async def _answered(self, record: Record, shot: Shot, request: bytes, begun: Begun | None) -> str | None:
        exchange = await self._exchange(record, request, begun)
        if exchange is not None and exchange.untouched and record.fresh_try:
            exchange = await self._exchange(record, request, None, fresh=True)
        if exchange is None:
            return None
        if not record.session:
            self._waiting.append((record, exchange, shot))
            self._has_ended.set()
            return None
        text: list[str] = []
        for answer in digest(record, exchange, shot, self.watch, self._rules()):
            text = answer.text
        self._hand_over(record, exchange)
        return "".join(text) if record.good else None

    def _begin(self, wire: Wire, record: Record, request: bytes) -> Begun:
        self.counts.refused = 0
        reused = wire.used > 0
        exchange = wire.send(request)
        self._flying[record.number] = (wire, exchange)
        return wire, exchange, reused

    async def _exchange(
        self, record: Record, request: bytes, begun: Begun | None, *, fresh: bool = False
    ) -> Exchange | None:
        """The exchange, ended; None where there was no connection. Marks the record where a fresh try is due."""
        if begun is None:
            wire = (None if fresh else self._pool.take()) or await self._connected(record)
            if wire is None:
                return None
            begun = self._begin(wire, record, request)
        wire, exchange, reused = begun
        try:
            await exchange.ended
        finally:
            self._flying.pop(record.number, None)
        record.ended = now() - self.start
        self._pool.give_back(wire)
        if exchange.untouched and reused and not fresh and exchange.lost not in (STALL, DRAIN):
            record.fresh_try = True
            self.counts.reconnected += 1
        return exchange

    async def _connected(self, record: Record) -> Wire | None:
        began = now()
        try:
            wire = await self._pool.open()
        except OSError as error:
            self._no_connection(record, began, error)
            return None
        record.connect_s = now() - began
        return wire

    def _no_connection(self, record: Record, began: float, error: OSError) -> None:
        record.begun = began - self.start
        record.ended = now() - self.start
        record.error, record.message = "connect", error.strerror or str(error)
        self.counts.refused += 1
        if self.counts.refused >= GONE_AFTER:
            self.stop(f"the server is gone: {record.message}")
        self._hand_over(record, None)

    def _rules(self) -> Rules:
        return Rules(self.start, self.perf.output.exact, self.prompts.count)

    def _hand_over(self, record: Record, exchange: Exchange | None) -> None:
        if exchange is not None:
            exchange.pieces.clear()
        self.write(record)
        if record.warm:
            return
        self.counts.finished += 1
        self.counts.failed += not record.good
        most, counts = self.perf.stop.errors, self.counts
        if most is not None and counts.finished >= ENOUGH_TO_JUDGE and counts.failed > most * counts.finished:
            self.stop(f"{counts.failed} of {counts.finished} requests failed, more than stop.errors allows")

    # Beside it ----------------------------------------------------------------------------------------------------

    async def _digest_all(self) -> None:
        """Reads answers that have ended, a little at a time."""
        while True:
            while not self._waiting:
                self._has_ended.clear()
                await self._has_ended.wait()
            record, exchange, shot = self._waiting[0]
            began = now()
            for _ in digest(record, exchange, shot, self.watch, self._rules()):
                if now() - began > DIGEST_SLICE_S:
                    await asyncio.sleep(0)
                    began = now()
            self._waiting.popleft()
            self._hand_over(record, exchange)
            await asyncio.sleep(0)

    async def _sweep(self) -> None:
        """Gives up requests to which nothing has come for too long; sees to it that a duration is kept."""
        stall = seconds(self.perf.stall)
        while True:
            await asyncio.sleep(min(SWEEP_S, stall / 4))
            if self.point.kind == "closed":
                self._is_over()
            for wire, exchange in list(self._flying.values()):
                if now() - exchange.last_at > stall:
                    wire.abandon(STALL)

    async def _drained(self, tasks: list[asyncio.Task[Any]]) -> None:
        """What is under way may end by itself, for a while."""
        if tasks:
            await asyncio.wait(tasks, timeout=seconds(self.perf.drain))
        for wire, _ in list(self._flying.values()):
            wire.abandon(DRAIN)
        left = [task for task in tasks if not task.done()]
        if left:
            _, stuck = await asyncio.wait(left, timeout=1.0)
            for task in stuck:
                task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
