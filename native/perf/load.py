"""Drives one load point, or one process's share of it: sends when it is time to, and hands over what came back."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bridge.native.perf.departures import Rest
from bridge.native.perf.digest import DRAIN, STALL, Rules, digest
from bridge.native.perf.extent import Counts, Extent
from bridge.native.perf.prompts import Prompts, Shot
from bridge.native.perf.record import Record
from bridge.native.perf.schedule import Planned, Point, schedule
from bridge.native.perf.watch import Watch, Watchful
from bridge.native.perf.wire import Exchange, Pool, Target, Wire, reaching
from bridge.perf_spec import PerfBlock, seconds

GONE_AFTER = 5
"""So many connections refused one after the other, and the server is taken for dead."""
ENOUGH_TO_JUDGE = 20
READY_S = 0.5
"""So much of an open load finds a connection open."""
AHEAD, AHEAD_BYTES = 32, 4_000_000
"""So many requests of an open load are made before their time, unless they are large."""
SWEEP_S = 0.25
DIGEST_SLICE_S = 0.4e-3
MOST_UNREAD = 256
"""So many answers may wait for a pause between departures to be read in."""
Begun = tuple[Wire, Exchange, bool]
"""An exchange under way, its connection, and whether that had been used before."""
now = time.perf_counter


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
    _flights: set[asyncio.Task[Any]] = field(default_factory=set)
    _waiting: deque[tuple[Record, Exchange, Shot]] = field(default_factory=deque)
    _conversations: int = 0

    def __post_init__(self) -> None:
        self._pool = Pool(self.target, self.watchful, self.watch.network)
        self._extent = Extent(self.point, self.perf, self.counts, self.share, self.of)
        self._departures = self.watchful.departures

    # The whole ----------------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Opens the connections that are needed at once. Raises ServeError where the server cannot be reached."""
        at_first = int(self.point.value * READY_S) if self.point.kind == "open" else 0
        ready = min(max(8, self._extent.mine(at_first)), self._extent.mine(self.point.max_in_flight))
        with reaching():
            await self._pool.prepare(self._extent.users or ready)

    async def run(self, start: float) -> None:
        """To its end, from ``start`` (of ``perf_counter``) on. Raises what ``write`` raises."""
        self.start = self._extent.start = start
        helpers = [asyncio.create_task(self._sweep()), asyncio.create_task(self._digest_all())]
        for helper in helpers:
            helper.add_done_callback(self._landed)
        try:
            with self.watch.on(self._departures):
                await (self._closed() if self.point.kind == "closed" else self._open())
            while self._waiting and not any(helper.done() for helper in helpers):
                await asyncio.sleep(0.001)
        finally:
            for helper in helpers:
                helper.cancel()
            ended = await asyncio.gather(*helpers, return_exceptions=True)
            self._pool.close()
        _raise_first(ended)

    def stop(self, why: str) -> None:
        """Nothing more is sent; what is under way is waited for."""
        self.stopped = self.stopped or why
        self._over.set()

    def _landed(self, task: asyncio.Task[Any]) -> None:
        """What fails ends the load, which then raises it."""
        if not task.cancelled() and task.exception() is not None:
            self._over.set()
        else:
            self._flights.discard(task)

    # Closed -------------------------------------------------------------------------------------------------------

    async def _closed(self) -> None:
        await asyncio.sleep(max(0.0, self.start - now()))
        users = [asyncio.create_task(self._user()) for _ in range(self._extent.users)]
        timer = asyncio.create_task(self._over.wait())
        await asyncio.wait({*users, timer}, return_when=asyncio.FIRST_COMPLETED)
        self._over.set()
        await self._drained(users)

    async def _user(self) -> None:
        before = None
        while not self._is_over():
            if self.perf.prompts.turns > 1:
                self._conversations += 1
                await self._converse(self._extent.of_all(self._conversations))
                continue
            number, warm = self._extent.following()
            record = Record(number, warm, None, 0.0, None)
            if before is not None:
                record.refill_s = now() - before
            await self._ask(record, self.prompts.shot(record.number))
            before = now()

    async def _converse(self, session: int) -> None:
        messages: list[dict[str, Any]] = []
        for turn in range(self.perf.prompts.turns):
            if turn:
                await self._think()
            if self._is_over():
                return
            number, warm = self._extent.following()
            record = Record(number, warm, None, 0.0, None, session=session + 1, turn=turn)
            messages.append(self.prompts.question(session, turn))
            said = await self._ask(record, self.prompts.conversation(messages))
            if said is None:
                return
            messages.append({"role": "assistant", "content": said})

    async def _think(self) -> None:
        """The user's pause between two turns; ends with the load."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds(self.perf.prompts.think)):
                await self._over.wait()

    def _is_over(self) -> bool:
        if not self._over.is_set() and self._extent.is_enough():
            self._over.set()
        return self._over.is_set()

    # Open ---------------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        planning, over = asyncio.create_task(self._plan()), asyncio.create_task(self._over.wait())
        await asyncio.wait({planning, over}, return_when=asyncio.FIRST_COMPLETED)
        self._over.set()
        self._departures.forget()
        planning.cancel()
        await self._drained([planning, *self._flights])

    async def _plan(self) -> None:
        """Makes requests some time before they are due."""
        for planned in schedule(self.point, self.perf.seed, share=self.share, of=self.of):
            shot = self._shot(planned)
            request = self.target.request(shot.body)
            most = max(1, min(AHEAD, AHEAD_BYTES // len(request)))
            await self._departures.add(self.start + planned.at_s, partial(self._depart, planned, shot, request), most)
        await self._departures.gone()

    def _depart(self, planned: Planned, shot: Shot, request: bytes) -> Rest:
        """Where a connection is open, the request is sent at once; the rest can wait."""
        if self._over.is_set() or not self._extent.takes(planned):
            return self._over.set
        record = Record(planned.number, self._extent.is_warm(planned), planned.at_s, 0.0, None)
        if len(self._flying) >= self._extent.mine(self.point.max_in_flight):
            self.counts.unsent += not record.warm
            return bool
        if self.perf.prompts.turns > 1 and self.point.kind != "trace":
            return partial(self._fly, self._visit(record, planned.number))
        self._count(record, shot)
        wire = self._pool.take()
        begun = None if wire is None else self._begin(wire, record, request)
        return partial(self._fly, self._answered(record, shot, request, begun))

    def _fly(self, flight: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(flight)
        self._flights.add(task)
        task.add_done_callback(self._landed)

    async def _visit(self, record: Record, session: int) -> None:
        """A conversation that begins when it was planned."""
        turns = self.perf.prompts.turns
        messages = [self.prompts.question(session, 0)]
        record.number, record.session = session * turns, session + 1
        said = await self._ask(record, self.prompts.conversation(messages))
        for turn in range(1, turns):
            await self._think()
            if said is None or self._over.is_set():
                return
            messages += [{"role": "assistant", "content": said}, self.prompts.question(session, turn)]
            # A later turn has no place in the schedule: it is sent when the user has read the answer.
            later = Record(session * turns + turn, record.warm, None, 0.0, None, session=session + 1, turn=turn)
            said = await self._ask(later, self.prompts.conversation(messages))

    def _shot(self, planned: Planned) -> Shot:
        if planned.input_tokens:
            return self.prompts.of_length(planned.number, planned.input_tokens, planned.output_tokens, planned.blocks)
        return self.prompts.shot(planned.number)

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
            self.counts.refused += 1
            if self.counts.refused >= GONE_AFTER:
                self.stop(f"the server is gone: {error.strerror or error}")
            self._no_connection(record, began, "connect", error.strerror or str(error))
            return None
        except asyncio.CancelledError:
            self._no_connection(record, began, DRAIN, "no connection until the end")
            raise
        record.connect_s = now() - began
        return wire

    def _no_connection(self, record: Record, began: float, kind: str, why: str) -> None:
        record.begun, record.ended = began - self.start, now() - self.start
        record.error, record.message = kind, why
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
        """Reads answers that have ended, a little at a time, and where it can, not when a request is about to go."""
        while True:
            while not self._waiting:
                self._has_ended.clear()
                await self._has_ended.wait()
            left = self._departures.due - now()
            if left < DIGEST_SLICE_S and len(self._waiting) < MOST_UNREAD:
                await asyncio.sleep(max(0.0, left))
                continue
            record, exchange, shot = self._waiting[0]
            began = now()
            for _ in digest(record, exchange, shot, self.watch, self._rules()):
                self._departures.ring()
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
        """What is under way may end by itself, for a while. Raises what a task has raised."""
        if tasks:
            await asyncio.wait(tasks, timeout=seconds(self.perf.drain))
        for wire, _ in list(self._flying.values()):
            wire.abandon(DRAIN)
        left = [task for task in tasks if not task.done()]
        if left:
            _, stuck = await asyncio.wait(left, timeout=1.0)
            for task in stuck:
                task.cancel()
        _raise_first(await asyncio.gather(*tasks, return_exceptions=True))


def _raise_first(ended: list[Any]) -> None:
    for one in ended:
        if isinstance(one, Exception):
            raise one
