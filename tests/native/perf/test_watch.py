"""The client's verdict on itself: by rule, by a loop that is blocked, by a clock that is set."""

from __future__ import annotations

import asyncio
import struct
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from stream_mock import Odd, streaming

from bridge.native.perf.clock import Clock, distance
from bridge.native.perf.columns import columns
from bridge.native.perf.load import Driver
from bridge.native.perf.prompts import Prompts
from bridge.native.perf.record import Record
from bridge.native.perf.schedule import Point
from bridge.native.perf.summary import summarise
from bridge.native.perf.watch import Seen, Watch, Watchful, coalesced, verdict
from bridge.native.perf.wire import look_up
from bridge.perf_spec import PerfBlock

CLEAN = Seen(late_p99=1e-4, lag_p99=1e-3, send_late_p99=1e-4, coalesced=0.0, cpu=0.2, gap_p50=0.01, spacing=None)


@pytest.mark.parametrize(
    ("change", "word", "said"),
    [
        ({}, "clean", ""),
        ({"late_p99": 0.002}, "strained", "read 2 ms late"),
        ({"send_late_p99": 0.003}, "strained", "sent 3 ms late"),
        ({"coalesced": 0.005}, "strained", "0.5 % of the events"),
        ({"cpu": 0.8}, "strained", "80 % of a core"),
        ({"coalesced": 0.02}, "saturated", "read together"),
        ({"late_p99": 0.011}, "saturated", "more than the usual gap of 10 ms"),
        ({"send_late_p99": 0.006}, "saturated", "sent 6 ms late"),
        ({"send_late_p99": 0.006, "spacing": 0.1}, "strained", "sent 6 ms late"),
        ({"achieved": 0.9}, "saturated", "90.0 % of the planned rate"),
        ({"cpu": 0.97}, "saturated", "97 % of a core"),
        ({"late_p99": None, "lag_p99": 0.02}, "saturated", "read 20 ms late"),
        ({"gap_p50": 0.0, "late_p99": 0.0005}, "clean", ""),
    ],
)
def test_verdicts(change: dict[str, Any], word: str, said: str) -> None:
    found, reason = verdict(replace(CLEAN, **change))
    assert found == word
    assert said in reason


def test_several_events_in_a_read_are_the_servers_own_unless_the_client_looked_away() -> None:
    shared = Counter({5: 40, 14: 10})  # 32 µs and 16 ms out of sight
    assert coalesced(shared, 1000, 0.01) == pytest.approx(0.01)
    assert coalesced(shared, 1000, 0.1) == 0.0


def measure(blocked_s: float) -> dict[str, Any]:
    """A small load in a loop that is blocked for so long, every 80 ms."""
    perf = PerfBlock.model_validate(
        {
            "load": [{"closed": [4]}],
            "prompts": {"input_tokens": {"mean": 16}},
            "stop": {"requests": 12},
            "warmup": {"requests": 0},
        }
    )
    records: list[Record] = []
    watchful, watch = Watchful(), Watch()

    async def block() -> None:
        while True:
            await asyncio.sleep(0.05)
            time.sleep(blocked_s)

    async def drive(url: str) -> None:
        prompts = Prompts(perf.prompts, perf.output, "mock-model")
        prompts.prepare()
        driver = Driver(Point("closed", 4), perf, prompts, await look_up(url, None), watch, watchful, records.append)
        await driver.prepare()
        blocking = asyncio.create_task(block()) if blocked_s else None
        await driver.run(time.perf_counter() + 0.02)
        if blocking:
            blocking.cancel()

    with (
        streaming(Odd(tokens=20, gap=0.01)) as server,
        asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(watchful)) as runner,
    ):
        runner.run(drive(server.url))
    noticed = [{**watch.summary(), "counts": {"unsent": 0}}]
    return summarise(Point("closed", 4), columns(records), noticed, perf, "")


def test_a_blocked_loop_is_a_saturated_client() -> None:
    found = measure(0.03)
    assert found["verdict"] == "saturated"
    assert found["clock"] == "kernel"


def stamp(wall: float) -> bytes:
    return struct.pack("qq", int(wall), int((wall % 1) * 1e9))


def test_the_kernels_time_on_the_other_clock() -> None:
    clock = Clock()
    clock.check()
    now = time.perf_counter()
    found = clock.arrival(stamp(time.time() - 0.005), now)
    assert found is not None
    assert abs(now - found - 0.005) < 2e-3
    assert clock.arrival(b"", now) is None
    assert clock.arrival(stamp(5.0), now) is None  # another clock altogether


def test_a_wall_clock_that_is_set_is_noticed_and_spoils_nothing() -> None:
    true = distance()
    shifts = iter([0.0, 0.0, 3600.0, 3600.0])
    clock = Clock(measure=lambda: true + next(shifts))
    clock.check()
    clock.check()
    assert clock.steps == 0
    before = time.perf_counter()
    clock.check()
    assert clock.steps == 1
    after = time.perf_counter()
    # Packets from before and after the step, both read before it was seen and after.
    for wall_shift, read_at in ((0.0, before), (3600.0, before), (3600.0, after), (0.0, after)):
        found = clock.arrival(stamp(read_at - 0.001 + true + wall_shift), read_at)
        assert found is not None
        assert abs(read_at - found - 0.001) < 1e-4
