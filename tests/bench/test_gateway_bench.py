"""The gateway beside the server it stands in front of: the same client, straight and through it.

    pytest -m bench tests/bench/test_gateway_bench.py -s

Client alone: bridge's own client beside a bare aiohttp loop. Prints figures, asserts only that every answer came.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import Client
from bridge.endpoint.gateway import Gateway
from bridge.endpoint.totals import usage

pytestmark = pytest.mark.bench

LATENCY_S = 0.05
ROWS = 2000
MOCK = Path(__file__).parents[3] / "shared" / "tools" / "mock_openai.py"
PATH = "/chat/completions"


@pytest.mark.parametrize("in_flight", [16, 64, 128])
async def test_gateway_beside_the_server_itself(in_flight: int, tmp_path: Path, mock: str) -> None:
    async with gateway(mock, tmp_path, in_flight) as through:
        for name, url in (("straight", mock), ("through", through.job_url("bench"))):
            cpu = time.process_time()
            seen = await in_another_process(url, through.token, in_flight)
            cpu_us = (time.process_time() - cpu) / ROWS * 1e6 if name == "through" else 0.0
            print(
                f"\n{in_flight:4} in flight, {name:9} {seen['rate']:6.0f} requests/s, "
                f"median {seen['median_ms']:6.2f} ms, p99 {seen['p99_ms']:6.2f} ms, gateway's cpu {cpu_us:4.0f} µs",
                end="",
            )
            assert seen["answers"] == ROWS
        counts = through.counts("bench")
        assert (counts.requests, counts.failed) == (ROWS, 0)


@pytest.mark.parametrize("in_flight", [16, 64, 256])
async def test_client_beside_bare_aiohttp(in_flight: int, tmp_path: Path, mock: str) -> None:
    async def bare() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def ask(row: int) -> None:
                async with session.post(mock + PATH, json=body(row)) as response:
                    assert (await response.json())["choices"][0]["message"]["content"]

            await at_once(ask, in_flight)

    async def ours() -> None:
        with RequestStore(tmp_path / "requests.sqlite") as store:
            async with new_client(mock, store, in_flight) as client:

                async def ask(row: int) -> None:
                    assert (await client.ask(PATH, body(row), job="bench")).text

                await at_once(ask, in_flight + in_flight // 4)

    for name, run in (("bare", bare), ("client", ours)):
        wall, cpu = time.perf_counter(), time.process_time()
        await run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"\n{in_flight:4} in flight, {name:6} {ROWS / wall:6.0f} requests/s, cpu {cpu / ROWS * 1e6:4.0f} µs", end=""
        )
        print(f" each, peak memory {rss:.0f} MB", end="")


@pytest.mark.parametrize("in_flight", [16, 64])
async def test_five_percent_errors_beside_none(in_flight: int, tmp_path: Path) -> None:
    for share in (0.0, 0.05):
        with running_mock("--fail", str(share)) as url, RequestStore(tmp_path / f"{share}.sqlite") as store:
            async with new_client(url, store, in_flight) as client:

                async def ask(row: int, client: Client = client) -> None:
                    assert (await client.ask(PATH, body(row), job="bench")).text

                start = time.perf_counter()
                await at_once(ask, in_flight + in_flight // 4)
                rate = ROWS / (time.perf_counter() - start)
        retried = usage(tmp_path / f"{share}.sqlite").retried
        print(f"\n{in_flight:4} in flight, {share:4.0%} errors {rate:6.0f} requests/s, {retried} retried", end="")


def body(row: int) -> dict[str, Any]:
    question = f"Question {row}: which is it?\nA. this\nB. that\nC. both\nD. neither\n" + "context " * 80
    return {"model": "mock-model", "temperature": 0, "messages": [{"role": "user", "content": question}]}


async def at_once(ask: Callable[[int], Awaitable[None]], workers: int) -> None:
    rows = iter(range(ROWS))

    async def work() -> None:
        for row in rows:
            await ask(row)

    await asyncio.gather(*(work() for _ in range(workers)))


def new_client(url: str, store: RequestStore, in_flight: int) -> Client:
    return Client(url, api_key="key", store=store, concurrency=in_flight, max_retries=3, timeout_s=60)


@asynccontextmanager
async def gateway(url: str, folder: Path, in_flight: int) -> AsyncIterator[Gateway]:
    with RequestStore(folder / "requests.sqlite") as store:
        async with new_client(url, store, in_flight) as client, Gateway(client, token="t", failed_marker="x") as open_:
            open_.register("bench", on_failure="error", concurrency=in_flight)
            yield open_


async def in_another_process(url: str, token: str, in_flight: int) -> dict[str, float]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, __file__, url, token, str(in_flight), stdout=subprocess.PIPE
    )
    out, _ = await child.communicate()
    seen: dict[str, float] = json.loads(out)
    return seen


async def load(url: str, token: str, in_flight: int) -> None:
    took: list[float] = []
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:

        async def ask(row: int) -> None:
            start = time.perf_counter()
            async with session.post(url + PATH, json=body(row)) as response:
                assert (await response.json())["choices"][0]["message"]["content"]
            took.append(time.perf_counter() - start)

        start = time.perf_counter()
        await at_once(ask, in_flight)
        wall = time.perf_counter() - start
    took.sort()
    seen = {
        "rate": ROWS / wall,
        "median_ms": 1e3 * statistics.median(took),
        "p99_ms": 1e3 * took[len(took) * 99 // 100],
    }
    print(json.dumps(seen | {"answers": len(took)}))


@pytest.fixture
def mock() -> Iterator[str]:
    if not MOCK.exists():
        pytest.skip(f"the mock server is not at {MOCK}")
    with running_mock() as url:
        yield url


@contextmanager
def running_mock(*options: str) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    argv = [sys.executable, str(MOCK), "--port", str(port), "--latency", str(LATENCY_S), *options]
    with subprocess.Popen(argv, env={**os.environ}) as server:
        try:
            _until_listening(port)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.kill()


def _until_listening(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("the mock server did not start")


if __name__ == "__main__":
    asyncio.run(load(sys.argv[1], sys.argv[2], int(sys.argv[3])))
