"""A server that was started for the test, and dies in the middle of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from stream_mock import Odd, streaming

from bridge import perf_run
from bridge.perf_spec import PerfSpec
from bridge.report.schema import ErrorKind
from bridge.serve import Served, describe
from bridge.spec import ModelSpec


def test_what_was_measured_until_then_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point = tmp_path / "jobs" / "perf" / "points" / "closed-2" / "point.json"
    with streaming(Odd(ttft=0.03)) as server:

        @asynccontextmanager
        async def serve(model: ModelSpec, **_: Any) -> AsyncIterator[Served]:
            served = Served(base_url=server.url, model="mock-model", identity="x", info=describe(model))

            async def die() -> None:
                while not point.exists():
                    await asyncio.sleep(0.02)
                await asyncio.sleep(0.3)
                served.reason.append("ms-swift with m ended with exit code 1: out of memory")
                served.died.set()

            dying = asyncio.create_task(die())
            yield served
            dying.cancel()

        monkeypatch.setattr(perf_run, "serve", serve)
        spec = PerfSpec.model_validate(
            {
                "model": {"name": "m", "endpoint": {"base_url": server.url}},
                "perf": {
                    "prompts": {"input_tokens": {"mean": 16}},
                    "output": {"max_tokens": 8},
                    "load": [{"closed": [2, 3, 4]}],
                    "stop": {"requests": 60},
                },
            }
        )
        report = perf_run.run_perf(spec, output=tmp_path)
    assert report.exit_code == 7
    assert {error.kind for error in report.errors} <= {ErrorKind.UNANSWERED, ErrorKind.WARNING}
    told = [error.message for error in report.errors]
    assert "ms-swift with m ended with exit code 1: out of memory" in told
    assert any(message.startswith("closed=4: not measured") for message in told)
    found = {(row.subset, row.metric): row.value for row in report.results}
    assert found["closed=2", "error_share"] == 0.0
    assert (found["closed=2", "req_s"] or 0) > 0


def test_a_server_that_is_still_starting_is_not_called_broken_when_the_user_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = False

    @asynccontextmanager
    async def serve(model: ModelSpec, **_: Any) -> AsyncIterator[Served]:
        nonlocal ended
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(60)
        finally:
            ended = True
        yield Served(base_url="http://127.0.0.1:1/v1", model="m", identity="x", info=describe(model))

    monkeypatch.setattr(perf_run, "serve", serve)
    spec = PerfSpec.model_validate(
        {"model": {"name": "m", "endpoint": {"base_url": "http://127.0.0.1:1/v1"}}, "perf": {"load": [{"closed": [1]}]}}
    )
    report = perf_run.run_perf(spec, output=tmp_path)
    assert ended
    assert report.exit_code == 130
    assert {error.kind for error in report.errors} == {ErrorKind.INTERRUPTED}
