"""Requests of an open load leave when it is time to, whatever else there is to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

from bridge.native.perf.departures import Departures, Rest
from bridge.native.perf.watch import Watchful


def looped(work: Callable[[Departures], Awaitable[None]]) -> None:
    watchful = Watchful()

    async def watched() -> None:
        async with asyncio.timeout(30):
            await work(watchful.departures)

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(watchful)) as runner:
        runner.run(watched())


def test_calls_are_made_in_their_order_and_never_before_their_time() -> None:
    left: list[tuple[int, float]] = []
    due = [0.02, 0.021, 0.021, 0.05]

    async def work(departures: Departures) -> None:
        start = time.perf_counter()

        def leave(number: int) -> Rest:
            left.append((number, time.perf_counter() - start))
            return bool

        for number, at in enumerate(due):
            await departures.add(start + at, partial(leave, number), most=8)
        await departures.gone()

    looped(work)
    assert [number for number, _ in left] == [0, 1, 2, 3]
    assert all(at >= wanted for (_, at), wanted in zip(left, due, strict=True))


def test_what_can_wait_waits_until_no_other_is_due() -> None:
    done: list[str] = []

    async def work(departures: Departures) -> None:
        def leave(name: str) -> Rest:
            done.append(name)
            return lambda: done.append(f"rest of {name}")

        now = time.perf_counter()
        for name in ("one", "other"):
            await departures.add(now, partial(leave, name), most=8)
        departures.ring()

    looped(work)
    assert done == ["one", "other", "rest of one", "rest of other"]


def test_only_so_many_are_made_ahead() -> None:
    left = 0
    ahead: list[int] = []

    async def work(departures: Departures) -> None:
        start = time.perf_counter() + 0.01

        def leave() -> Rest:
            nonlocal left
            left += 1
            return bool

        for number in range(20):
            await departures.add(start + number * 1e-3, leave, most=4)
            ahead.append(number + 1 - left)
        await departures.gone()

    looped(work)
    assert left == 20
    assert max(ahead) <= 4


def test_what_is_forgotten_is_not_called() -> None:
    async def work(departures: Departures) -> None:
        async def add() -> None:
            await departures.add(time.perf_counter() + 0.01, lambda: bool, most=1)

        await add()
        departures.forget()
        await asyncio.sleep(0.03)
        await departures.gone()
        assert departures.spun_s == 0.0

    looped(work)


def test_waiting_awake_is_counted_and_no_work() -> None:
    async def work(departures: Departures) -> None:
        left: list[float] = []

        def leave() -> Rest:
            left.append(time.perf_counter())
            return bool

        due, used = time.perf_counter() + 0.02, time.thread_time()
        await departures.add(due, leave, most=1)
        departures.ring_when_due()
        assert left[0] >= due
        assert 0 < departures.spun_s <= time.thread_time() - used

    looped(work)
