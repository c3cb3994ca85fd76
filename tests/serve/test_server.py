"""The life of a server: with a made-up ``swift`` package, so that it takes milliseconds."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from serve.live import ask, deployed, failure, killed_bridge_leaves, logged, processes, serving

from bridge.errors import ServeError
from bridge.serve import serve


async def test_it_is_started_answers_and_is_gone(tmp_path: Path, weights: Path, fake: Path) -> None:
    lines: list[str] = []
    model = deployed(weights, env={"PYTHONPATH": str(fake), "FAKE": "child"})
    async with serving(model, tmp_path, lines) as served:
        assert await ask(served) == "7"
        assert served.model.startswith("tiny-model-")
        assert served.identity.startswith("swift:")
        assert served.info.start_s is not None and 0 < served.info.start_s < 60
        assert served.api_key is None
        argv = logged(tmp_path, "argv")
        assert argv[argv.index("--max_batch_size") + 1] == "16"
        assert argv[argv.index("--served_model_name") + 1] == served.model
        assert served.base_url == f"http://127.0.0.1:{argv[argv.index('--port') + 1]}/v1"
        assert len(processes(served.model)) == 3
    assert processes(served.model) == []
    assert not served.died.is_set()
    assert lines == ["starting ms-swift with tiny model"]
    assert logged(tmp_path, "env")["HF_HUB_OFFLINE"] == "1"


async def test_every_start_has_a_name_of_its_own(tmp_path: Path, weights: Path, fake: Path) -> None:
    model = deployed(weights, env={"PYTHONPATH": str(fake)})
    async with serving(model, tmp_path) as first, serving(model, tmp_path / "2") as second:
        assert first.model != second.model
        assert first.base_url != second.base_url
        assert first.identity == second.identity


async def test_a_port_that_somebody_else_took(tmp_path: Path, weights: Path, fake: Path, monkeypatch: Any) -> None:
    """ms-swift then takes another port without a word, and who is asked on this one is somebody else."""

    async def somebody_else(request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "tiny-model"}]})

    app = web.Application()
    app.router.add_get("/v1/models", somebody_else)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    taken = runner.addresses[0][1]
    monkeypatch.setattr("bridge.serve.deployment.free_port", lambda: taken)
    try:
        async with serving(deployed(weights, env={"PYTHONPATH": str(fake), "FAKE": "moves"}), tmp_path) as served:
            assert served.base_url != f"http://127.0.0.1:{taken}/v1"
            assert await ask(served) == "7"
    finally:
        await runner.cleanup()


async def test_it_dies_while_it_starts(tmp_path: Path, weights: Path, fake: Path) -> None:
    began = time.monotonic()
    said = await failure(deployed(weights, env={"PYTHONPATH": str(fake), "FAKE": "dies"}), tmp_path)
    first, *rest = said.splitlines()
    assert first.startswith(
        "ms-swift with tiny model ended with exit code 1 before it answered; ValueError: Failed to automatically match"
    )
    assert first.endswith("; set deploy.model_type to one of qwen2, qwen2_gte")
    assert rest[0] == "last lines:"
    assert rest[-1] == f"log: {tmp_path / 'serve' / 'log.txt'}"
    assert time.monotonic() - began < 30


async def test_it_never_answers_under_its_name(tmp_path: Path, weights: Path, fake: Path) -> None:
    model = deployed(weights, env={"PYTHONPATH": str(fake), "FAKE": "never"}, startup_timeout_s=1.5)
    assert "did not answer within deploy.startup_timeout_s = 1.5 s; raise it, or see " in await failure(model, tmp_path)
    assert processes(str(fake)) == []


async def test_it_dies_during_the_run(tmp_path: Path, weights: Path, fake: Path) -> None:
    model = deployed(weights, env={"PYTHONPATH": str(fake), "FAKE": "dies-later"})
    async with serving(model, tmp_path) as served:
        with pytest.raises(aiohttp.ClientError):
            await ask(served)
        await asyncio.wait_for(served.died.wait(), 10)
    [reason] = served.reason
    assert reason.startswith("ms-swift with tiny model ended with exit code 9 during the run; see ")


async def test_an_interpreter_that_is_not_there(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(ServeError, match="ended with exit code 127 before it answered"):
        async with serve(
            deployed(weights), python=Path("/no/python"), concurrency=1, log=tmp_path / "log.txt", progress=print
        ):
            pass


async def test_an_error_in_the_block_ends_it_too(tmp_path: Path, weights: Path, fake: Path) -> None:
    with pytest.raises(RuntimeError, match="mine"):
        async with serving(deployed(weights, env={"PYTHONPATH": str(fake)}), tmp_path) as served:
            raise RuntimeError("mine")
    assert processes(served.model) == []


@pytest.mark.parametrize("after_s", [0.0, 0.15, 0.6])
async def test_cancelled_at_any_time_nothing_is_left(tmp_path: Path, weights: Path, fake: Path, after_s: float) -> None:
    async def stay() -> None:
        async with serving(deployed(weights, env={"PYTHONPATH": str(fake)}), tmp_path):
            await asyncio.sleep(300)

    task = asyncio.create_task(stay())
    await asyncio.sleep(after_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert processes(str(weights)) == []


async def test_a_killed_bridge_leaves_no_server(tmp_path: Path, weights: Path, fake: Path) -> None:
    model = deployed(weights, env={"PYTHONPATH": str(fake), "FAKE": "child"})
    assert await killed_bridge_leaves(model, tmp_path, Path(sys.executable)) == []
