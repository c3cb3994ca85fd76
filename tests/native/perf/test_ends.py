"""How a load ends: every request that was sent is on file, and what breaks on the way is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from stream_mock import Odd, streaming

from bridge.errors import EXIT_PARTIAL, OutputError, ServeError
from bridge.native.perf.__main__ import main
from bridge.native.perf.job import BASE_URL_ENV, PerfJob
from bridge.native.perf.load import Driver
from bridge.native.perf.prompts import Prompts
from bridge.native.perf.record import Record
from bridge.native.perf.schedule import Point
from bridge.native.perf.watch import Watch, Watchful
from bridge.native.perf.wire import Pool, Wire, look_up
from bridge.native.whole import read_whole
from bridge.perf_spec import PerfBlock

OPEN = Point("open", 200, "constant")


async def nothing(driver: Driver) -> None:
    pass


def driven(
    odd: Odd,
    point: Point,
    write: Callable[[Record], None],
    *,
    beside: Callable[[Driver], Awaitable[None]] = nothing,
    **perf: Any,
) -> Driver:
    block = {"load": [{"closed": [1]}], "output": {"max_tokens": 8}, "warmup": {"requests": 0}, **perf}
    block["prompts"] = {"input_tokens": {"mean": 16}, **block.get("prompts", {})}
    rules = PerfBlock.model_validate(block)
    watchful = Watchful()

    async def drive(url: str) -> Driver:
        prompts = Prompts(rules.prompts, rules.output, "mock-model")
        prompts.prepare()
        driver = Driver(point, rules, prompts, await look_up(url, None), Watch(), watchful, write)
        await driver.prepare()
        async with asyncio.timeout(20):
            await asyncio.gather(driver.run(time.perf_counter() + 0.02), beside(driver))
        return driver

    with streaming(odd) as server, asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(watchful)) as runner:
        return runner.run(drive(server.url))


def test_requests_that_never_got_a_connection_are_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    opened, opening = 0, Pool.open

    async def hanging(pool: Pool) -> Wire:
        nonlocal opened
        opened += 1
        if opened > 20:
            await asyncio.Event().wait()
        return await opening(pool)

    monkeypatch.setattr(Pool, "open", hanging)
    monkeypatch.setattr("bridge.native.perf.load.READY_S", 0.1)  # twenty connections are open from the beginning
    records: list[Record] = []
    driver = driven(Odd(ttft=0.5), OPEN, records.append, stop={"requests": 60}, drain="2s")
    assert driver.counts.sent == driver.counts.finished == len(records) == 60
    assert 1 <= [record.good for record in records].count(True) < 60
    assert {record.error for record in records if not record.good} == {"drain"}
    assert all(record.ended > record.begun > 0 for record in records)


def test_turns_of_conversations_that_begin_by_plan_have_numbers_of_their_own() -> None:
    records: list[Record] = []
    point = Point("open", 2000, "constant")
    conversations = {"turns": 3, "think": "10ms"}
    driven(Odd(ttft=0, tokens=1, gap=0), point, records.append, stop={"requests": 1500}, prompts=conversations)
    assert any(record.turn == 2 for record in records)
    assert len({record.number for record in records}) == len(records) >= 1500


@pytest.mark.parametrize("point", [OPEN, Point("closed", 2)], ids=["open", "closed"])
@pytest.mark.parametrize("turns", [1, 2])
def test_records_that_cannot_be_written_end_the_load(point: Point, turns: int) -> None:
    def full(record: Record) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        driven(Odd(), point, full, stop={"requests": 20}, prompts={"turns": turns})


@pytest.mark.parametrize("point", [Point("open", 0.05, "constant"), Point("closed", 2)], ids=["open", "closed"])
def test_nobody_waits_for_a_request_that_will_not_be_sent(point: Point) -> None:
    async def stop_soon(driver: Driver) -> None:
        while not driver.counts.finished:
            await asyncio.sleep(0.01)
        driver.stop("stopped by SIGTERM")

    began = time.monotonic()
    records: list[Record] = []
    driver = driven(Odd(), point, records.append, beside=stop_soon, prompts={"turns": 2, "think": "60s"})
    assert driver.stopped == "stopped by SIGTERM"
    assert len(records) == driver.counts.sent >= 1
    assert time.monotonic() - began < 15


def job_in(folder: Path, monkeypatch: pytest.MonkeyPatch, url: str, **perf: Any) -> str:
    block = PerfBlock.model_validate(
        {"load": [{"closed": [2]}], "output": {"max_tokens": 8}, "stop": {"requests": 10}, **perf}
    )
    (folder / "job.json").write_text(PerfJob("mock-model", block).to_json(), encoding="utf-8")
    monkeypatch.setenv(BASE_URL_ENV, url)
    return str(folder / "job.json")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_cannot_be_written_to_is_not_called_a_server_that_cannot_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    (tmp_path / "points").write_text("", encoding="utf-8")
    with streaming() as server:
        assert main([job_in(tmp_path, monkeypatch, server.url, workers=workers)]) == OutputError.exit_code
    told = capsys.readouterr().err
    assert "points" in told
    assert "reached" not in told
    assert read_whole(tmp_path / "failed.json")["exit_code"] == OutputError.exit_code


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_cannot_be_reached_is_told_whoever_asks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    with streaming() as server:
        url = server.url
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"prompt": "Hello"}\n', encoding="utf-8")
    job = job_in(tmp_path, monkeypatch, url, workers=workers, prompts={"kind": "jsonl", "path": str(prompts)})
    assert main([job]) == ServeError.exit_code
    assert "the server cannot be reached: Connect" in capsys.readouterr().err


def test_a_load_of_which_nothing_was_answered_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = Odd(fail_every=1)
    with streaming(odd) as server:
        job = job_in(tmp_path, monkeypatch, server.url)
        assert main([job]) == EXIT_PARTIAL
        odd.fail_every = 0
        main([job])
        [point] = read_whole(tmp_path / "result.json")["points"]
        assert point["counts"]["good"] == 10
        seen = len(odd.asked)
        main([job])
        assert len(odd.asked) == seen + 2, "a load that was answered is kept"
