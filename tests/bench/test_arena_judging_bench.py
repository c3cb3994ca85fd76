"""10,000 calls of a judge that takes 50 ms, 64 in flight: how near the rate comes to the ideal 1,280 calls a second.

    pytest -m bench tests/bench/test_arena_judging_bench.py -s

Prints the rate from the first to the last call, beside a bare aiohttp loop with the same bodies, and the time of the
whole command. Asserts that each call was made once and has its row, and no timing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from arena.arenas import judge, write_lines, write_spec

pytestmark = pytest.mark.bench

BRIDGE = Path(sys.executable).with_name("bridge")
QUESTIONS, IN_FLIGHT = 5000, 64
WORDS = "the answer goes on for a while so that it is about as long as answers are " * 12

SERVER = """
import asyncio, json, sys, time
latency = float(sys.argv[1])
seen = {"n": 0, "first": 0.0, "last": 0.0}
said = {"id": "1", "object": "chat.completion", "created": 1, "model": "judge", "usage": {"prompt_tokens": 500,
        "completion_tokens": 20}, "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "The first one is more to the point.\\n[[A]]"}}]}
body = json.dumps(said).encode()
reply = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body)

async def handle(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\\r\\n\\r\\n")).lower()
            if head.startswith(b"get"):
                told = json.dumps(seen).encode()
                writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(told), told))
                continue
            length = int(head.split(b"content-length:")[1].split(b"\\r\\n")[0])
            seen["first"] = seen["first"] or time.time()
            await reader.readexactly(length)
            await asyncio.sleep(latency)
            writer.write(reply)
            seen["n"] += 1
            seen["last"] = time.time()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""

BARE = """
import asyncio, sys
import aiohttp, orjson

async def main(url, in_flight, n, size):
    todo = iter(range(n))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        async def work():
            for number in todo:
                body = {"model": "judge", "messages": [{"role": "user", "content": "x" * size + str(number)}]}
                async with session.post(url + "/chat/completions", data=orjson.dumps(body)) as response:
                    orjson.loads(await response.read())["choices"][0]["message"]["content"]
        await asyncio.gather(*(work() for _ in range(in_flight)))

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
"""


@contextmanager
def server(latency_s: float) -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(latency_s)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def stats(url: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{url}/stats", timeout=10) as response:
        found: dict[str, float] = json.loads(response.read())
    return found


def rate(url: str) -> float:
    seen = stats(url)
    return seen["n"] / (seen["last"] - seen["first"])


def test_ten_thousand_calls(tmp_path: Path) -> None:
    write_lines(
        tmp_path / "question.jsonl", [{"question_id": at, "turns": [f"Question {at}?"]} for at in range(QUESTIONS)]
    )
    models = {
        name: write_lines(
            tmp_path / f"{name}.jsonl", [{"question_id": at, "text": f"{name} {at} {WORDS}"} for at in range(QUESTIONS)]
        )
        for name in ("one", "two")
    }
    with server(0.05) as url:
        subprocess.run(
            [sys.executable, "-c", BARE, url, str(IN_FLIGHT), str(2 * QUESTIONS), str(2 * len(WORDS) + 1500)],
            check=True,
        )
        bare = rate(url)
    with server(0.05) as url:
        spec = write_spec(tmp_path, url, models, judge=judge("judge", url), concurrency=IN_FLIGHT)
        began = time.perf_counter()
        argv = [BRIDGE, "arena", "run", spec, "--output", tmp_path / "run", "--quiet"]
        before = os.times()
        done = subprocess.run(argv, capture_output=True, text=True)
        wall, after = time.perf_counter() - began, os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        found, seen = rate(url), stats(url)
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "run" / "battles.jsonl").read_bytes().splitlines()
    assert len(rows) == seen["n"] == 2 * QUESTIONS
    print(f"\nideal      {IN_FLIGHT / 0.05:6.0f} calls/s")
    print(f"bare       {bare:6.0f} calls/s")
    print(f"arena run  {found:6.0f} calls/s, whole command {wall:.1f} s, {cpu / len(rows) * 1e3:.2f} ms cpu/call")
