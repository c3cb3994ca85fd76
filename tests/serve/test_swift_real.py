"""The real ms-swift, with the quickstart's model."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from serve.live import failure_with, killed_bridge_leaves, processes

from bridge import envs
from bridge.serve import Served, serve, swift
from bridge.spec import DeploySpec, ModelSpec

pytestmark = pytest.mark.env
WEIGHTS = Path(__file__).parents[2] / "configs" / "quickstart" / "model"
PAIRS = [(a, b) for a in range(10) for b in range(10)]


@pytest.fixture(scope="module")
def python() -> Path:
    return asyncio.run(envs.ensure(swift.ENV))


def tiny(path: Path = WEIGHTS, **fields: Any) -> ModelSpec:
    common: dict[str, Any] = {"model_type": "qwen3", "template": "qwen", "env": {"OMP_NUM_THREADS": "1"}}
    return ModelSpec(name="tiny", deploy=DeploySpec(path=str(path), **{**common, **fields}))


async def answer(http: aiohttp.ClientSession, served: Served, a: int, b: int) -> str:
    messages = [{"role": "user", "content": f"What is {a}+{b}?"}]
    body = {"model": served.model, "messages": messages, "max_tokens": 8, "temperature": 0}
    async with http.post(f"{served.base_url}/chat/completions", json=body) as response:
        assert response.status == 200, await response.text()
        text: str = (await response.json())["choices"][0]["message"]["content"]
        return text


async def test_it_answers_and_requests_are_batched(tmp_path: Path, python: Path) -> None:
    log = tmp_path / "serve" / "log.txt"
    async with (
        serve(tiny(), python=python, concurrency=16, log=log, progress=print) as served,
        aiohttp.ClientSession() as http,
    ):
        one_by_one, began = [], time.monotonic()
        for a, b in PAIRS[:16]:
            one_by_one.append(await answer(http, served, a, b))
        alone_s, began = time.monotonic() - began, time.monotonic()
        together = await asyncio.gather(*(answer(http, served, a, b) for a, b in PAIRS))
        together_s = time.monotonic() - began
        assert one_by_one == together[:16]
        right = sum(text == str(a + b) for text, (a, b) in zip(together, PAIRS, strict=True))
        print(f"{right}/100 right; {16 / alone_s:.0f} requests/s one by one, {100 / together_s:.0f} with 16 at a time")
        assert right >= 97
        assert not served.died.is_set()
    assert processes(served.model) == []
    assert sorted(path.name for path in log.parent.iterdir()) == ["log.txt"]
    assert sorted(path.name for path in WEIGHTS.iterdir()) == sorted(path.name for path in WEIGHTS.glob("*.*"))


async def test_a_port_that_somebody_else_has(tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ms-swift silently takes the next free port; whoever is on the first one answers there."""

    class SomebodyElse(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"data": [{"id": "tiny"}]}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    other = HTTPServer(("127.0.0.1", 0), SomebodyElse)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    taken = other.server_address[1]
    monkeypatch.setattr("bridge.serve.deployment.free_port", lambda: taken)
    try:
        async with (
            serve(tiny(), python=python, concurrency=4, log=tmp_path / "log.txt", progress=print) as served,
            aiohttp.ClientSession() as http,
        ):
            assert served.base_url != f"http://127.0.0.1:{taken}/v1"
            assert await answer(http, served, 3, 4) == "7"
    finally:
        other.shutdown()
        other.server_close()


async def test_what_it_dies_of_is_told(tmp_path: Path, python: Path) -> None:
    said = await failure_with(python, tiny(model_type=None, template=None), tmp_path)
    assert said.splitlines()[0].startswith("ms-swift with tiny ended with exit code 1 before it answered; ValueError")
    assert "; set deploy.model_type to one of qwen3" in said.splitlines()[0]


async def test_broken_weights(tmp_path: Path, python: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(WEIGHTS, broken)
    whole = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    said = await failure_with(python, tiny(broken), tmp_path)
    assert "before it answered; " in said.splitlines()[0]
    assert "afetensor" in said.splitlines()[0]


async def test_an_argument_that_it_does_not_know(tmp_path: Path, python: Path) -> None:
    said = await failure_with(python, tiny(args={"no_such_argument": 1}), tmp_path)
    assert "ms-swift does not know [--no_such_argument, 1]; correct deploy.args" in said.splitlines()[0]


async def test_a_trainings_folder_does_not_run_its_plugins(tmp_path: Path, python: Path) -> None:
    """ms-swift imports the plugins that a checkpoint's args.json names; here they must not run."""
    checkpoint, ran = tmp_path / "checkpoint-1", tmp_path / "ran"
    shutil.copytree(WEIGHTS, checkpoint)
    plugin = tmp_path / "plugin.py"
    plugin.write_text(f"import pathlib; pathlib.Path({str(ran)!r}).touch()\n", encoding="utf-8")
    (checkpoint / "args.json").write_text(
        f'{{"model_type": "qwen3", "template": "qwen", "external_plugins": ["{plugin}"]}}', encoding="utf-8"
    )
    model = tiny(checkpoint, model_type=None, template=None)
    async with (
        serve(model, python=python, concurrency=4, log=tmp_path / "log.txt", progress=print) as served,
        aiohttp.ClientSession() as http,
    ):
        assert await answer(http, served, 3, 4) == "7"
    assert not ran.exists()


async def test_a_killed_bridge_leaves_no_server(tmp_path: Path, python: Path) -> None:
    assert await killed_bridge_leaves(tiny(), tmp_path, python) == []


async def test_offline_the_environment_is_whole(python: Path) -> None:
    await envs.check(swift.ENV)
