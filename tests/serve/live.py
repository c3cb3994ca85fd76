"""Serving models for tests, and what is left of it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.errors import ServeError
from bridge.serve import Served, serve
from bridge.spec import DeploySpec, ModelSpec

BRIDGE = """
    import asyncio, sys
    from pathlib import Path
    from bridge.serve import serve
    from bridge.spec import ModelSpec

    async def main():
        model = ModelSpec.model_validate_json(sys.argv[1])
        log = Path(sys.argv[2])
        async with serve(model, python=Path(sys.argv[3]), concurrency=4, log=log, progress=lambda line: None) as served:
            print(served.model, flush=True)
            await asyncio.sleep(300)

    asyncio.run(main())
"""


def deployed(path: Path | str, **fields: Any) -> ModelSpec:
    return ModelSpec(name="tiny model", deploy=DeploySpec(path=str(path), **fields))


def serving(model: ModelSpec, tmp_path: Path, progress: list[str] | None = None) -> AbstractAsyncContextManager[Served]:
    lines = [] if progress is None else progress
    log = tmp_path / "serve" / "log.txt"
    return serve(model, python=Path(sys.executable), concurrency=16, log=log, progress=lines.append)


def logged(tmp_path: Path, what: str) -> Any:
    lines = (tmp_path / "serve" / "log.txt").read_text(encoding="utf-8").splitlines()
    return next(json.loads(line.removeprefix(f"{what}: ")) for line in lines if line.startswith(f"{what}: "))


def processes(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def ask(served: Served) -> str:
    body = {"model": served.model, "messages": [{"role": "user", "content": "What is 3+4?"}], "max_tokens": 8}
    async with aiohttp.ClientSession() as http, http.post(f"{served.base_url}/chat/completions", json=body) as answer:
        text: str = (await answer.json())["choices"][0]["message"]["content"]
        return text


async def failure_with(python: Path, model: ModelSpec, tmp_path: Path) -> str:
    """What serving the model fails with, in that environment."""
    with pytest.raises(ServeError) as caught:
        async with serve(model, python=python, concurrency=4, log=tmp_path / "log.txt", progress=print):
            pytest.fail("it answers")
    return str(caught.value)


async def failure(model: ModelSpec, tmp_path: Path) -> str:
    """What serving the model fails with."""
    with pytest.raises(ServeError) as caught:
        async with serving(model, tmp_path):
            pytest.fail("it answers")
    return str(caught.value)


async def killed_bridge_leaves(model: ModelSpec, tmp_path: Path, python: Path) -> list[int]:
    """Serves the model from another process, kills that with SIGKILL, and returns who is still there 20 s later."""
    argv = [
        sys.executable,
        "-c",
        textwrap.dedent(BRIDGE),
        model.model_dump_json(),
        str(tmp_path / "log.txt"),
        str(python),
    ]
    bridge = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    try:
        assert bridge.stdout is not None
        name = (await asyncio.to_thread(bridge.stdout.readline)).strip()
        assert processes(name)
    finally:
        bridge.send_signal(signal.SIGKILL)
        bridge.communicate()
    until = time.monotonic() + 20
    while processes(name) and time.monotonic() < until:
        await asyncio.sleep(0.1)
    return processes(name)
