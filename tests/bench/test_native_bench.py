"""The native engine beside a bare aiohttp loop: the same requests, each in a process of its own, one after the other.

    pytest -m bench tests/bench/test_native_bench.py -s

Prints requests/s (from the server's first to its last request), CPU per row, memory, and the time to the first request.
Asserts that every row was asked and scored, and no timing.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from bridge.backend import Endpoint, Task
from bridge.native.backend import NativeBackend
from bridge.native.whole import read_whole
from bridge.spec import TaskSpec

pytestmark = pytest.mark.bench

SHARED = Path(__file__).parents[3] / "shared"
MOCK = SHARED / "tools" / "mock_openai.py"
DATA = SHARED / "data"
GROWTH = 1.3
"""What memory may be for fifty times the rows: Python itself, and a few bytes a row that say where its record is."""
ROWS = 2000
WORDS = [
    *("river", "stone", "amber", "quiet", "signal", "copper", "harbor", "lattice", "meadow", "quartz"),
    *("vector", "violet", "anchor", "tunnel", "marble", "cedar", "falcon", "prism", "ember", "glacier"),
]

BARE = """
import asyncio, sys
import aiohttp, orjson

async def main(url, rows, in_flight):
    todo = iter([line for line in open(rows, "rb")])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        async def work():
            for line in todo:
                async with session.post(url, data=line, headers={"Content-Type": "application/json"}) as response:
                    orjson.loads(await response.read())["choices"][0]["message"]["content"]
        await asyncio.gather(*(work() for _ in range(in_flight)))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


@dataclass(frozen=True)
class Seen:
    rate: float
    """Requests per second, from the first to the last."""
    wall_s: float
    cpu_s: float
    rss_mb: float

    def line(self, name: str, rows: int) -> str:
        each = self.cpu_s / rows * 1e3
        return (
            f"{name:14} {self.rate:6.0f} requests/s {self.wall_s:6.2f} s {each:5.2f} ms cpu/row {self.rss_mb:4.0f} MB"
        )


@pytest.mark.parametrize("in_flight", [16, 64, 256])
def test_multiple_choice_beside_bare_aiohttp(in_flight: int, tmp_path: Path) -> None:
    write_mcq(tmp_path / "data" / "bank_val.jsonl", ROWS)
    dataset = {"name": "general_mcq", "path": str(tmp_path / "data")}
    compare(dataset, ROWS, in_flight, tmp_path, latency_s=0.05)


@pytest.mark.parametrize("in_flight", [64])
def test_gsm8k_with_its_scorer_beside_bare_aiohttp(in_flight: int, tmp_path: Path) -> None:
    dataset = {"name": "gsm8k", "path": str(many_problems(tmp_path / "gsm8k", ROWS))}
    compare(dataset, ROWS, in_flight, tmp_path, latency_s=0.05)


def test_free_text_with_rouge_beside_bare_aiohttp(tmp_path: Path) -> None:
    write_qa(tmp_path / "data" / "bank_test.jsonl", ROWS)
    compare({"name": "general_qa", "path": str(tmp_path / "data")}, ROWS, 64, tmp_path, latency_s=0.05)


def test_memory_is_flat(tmp_path: Path) -> None:
    peaks = {rows: peak_mb(rows, tmp_path / str(rows)) for rows in (2_000, 100_000)}
    assert peaks[100_000] <= GROWTH * peaks[2_000], "fifty times the rows, and the engine has grown with them"


def peak_mb(rows: int, folder: Path) -> float:
    """Of the engine over so many rows; the same command again asks nothing."""
    write_mcq(folder / "data" / "bank_val.jsonl", rows)
    dataset = {"name": "general_mcq", "path": str(folder / "data")}
    with mock(0.0) as url:
        native = run_native(dataset, url, 64, folder / "run", rows)
        print(f"\n{rows:7} rows: {native.line('native', rows)}")
        again = run_native(dataset, url, 64, folder / "run", rows)
        print(f"        again: {again.wall_s:.2f} s")
        assert stats(url)["requests"] == 0
    return native.rss_mb


def test_time_to_the_first_request(tmp_path: Path) -> None:
    write_mcq(tmp_path / "data" / "bank_val.jsonl", 100_000)
    with mock(0.05) as url:
        job, folder = prepare({"name": "general_mcq", "path": str(tmp_path / "data")}, url, 64, tmp_path / "run")
        started = time.perf_counter()
        process = subprocess.Popen(job, cwd=folder, env=environment(url))
        while not stats(url)["requests"]:
            time.sleep(0.005)
        print(f"\nfirst request after {time.perf_counter() - started:.2f} s (100,000 rows)")
        process.terminate()
        stopping = time.perf_counter()
        assert process.wait(10) == 130
        print(f"stopped {time.perf_counter() - stopping:.2f} s after TERM")


def test_five_per_cent_of_errors(tmp_path: Path) -> None:
    write_mcq(tmp_path / "data" / "bank_val.jsonl", ROWS)
    dataset = {"name": "general_mcq", "path": str(tmp_path / "data")}
    rates: dict[float, list[float]] = {0.0: [], 0.05: []}
    for turn in range(5):
        for fail, seen_rates in rates.items():
            with mock(0.05, fail) as url:
                seen = run_native(dataset, url, 64, tmp_path / f"run{fail}-{turn}", ROWS)
            seen_rates.append(seen.rate)
            print(f"\n{fail:4.0%} errors: {seen.line('native', ROWS)}", end="")
    clean, faulty = (median(seen_rates) for seen_rates in rates.values())
    print(f"\n5 % of errors cost {1 - faulty / clean:.1%} of the rows per second (medians of five, in turn)")


def compare(dataset: dict[str, Any], rows: int, in_flight: int, tmp_path: Path, *, latency_s: float) -> None:
    with mock(latency_s) as url:
        native = run_native(dataset, url, in_flight, tmp_path / "run", rows)
        bodies = tmp_path / "bodies.jsonl"
        write_bodies(tmp_path / "run", bodies)
        bare = run_bare(bodies, url, in_flight, rows)
    print(f"\n{in_flight:4} in flight  {bare.line('bare aiohttp', rows)}")
    print(f"                {native.line('native', rows)}")
    more = (native.cpu_s - bare.cpu_s) / rows * 1e3
    print(f"                {native.rate / bare.rate:.0%} of bare, {more:+.2f} ms cpu/row, peak {native.rss_mb:.0f} MB")


def run_native(dataset: dict[str, Any], url: str, in_flight: int, run: Path, rows: int) -> Seen:
    argv, folder = prepare(dataset, url, in_flight, run)
    seen = measured(argv, url, rows, cwd=folder, env=environment(url))
    progress = read_whole(folder / "progress.json")
    assert (progress["done"], progress["total"], progress["failed"]) == (rows, rows, 0)
    return seen


def prepare(dataset: dict[str, Any], url: str, in_flight: int, run: Path) -> tuple[list[str], Path]:
    spec = TaskSpec.model_validate(
        {
            "model": {"name": "mock-model", "endpoint": {"base_url": url}},
            "datasets": [dataset],
            "concurrency": in_flight,
        }
    )
    assert spec.model is not None
    (job,) = NativeBackend().translate(Task(spec, spec.model, spec.datasets, in_flight), Endpoint(url, "mock-model"))
    folder = run / "jobs" / "native"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in job.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [sys.executable, *job.argv[1:]], folder


def environment(url: str) -> dict[str, str]:
    return {**os.environ, "BRIDGE_BASE_URL": url, "PYTHONSAFEPATH": "1"}


def run_bare(bodies: Path, url: str, in_flight: int, rows: int) -> Seen:
    argv = [sys.executable, "-c", BARE, f"{url}/chat/completions", str(bodies), str(in_flight)]
    return measured(argv, url, rows, cwd=bodies.parent, env=dict(os.environ))


def measured(argv: list[str], url: str, rows: int, *, cwd: Path, env: dict[str, str]) -> Seen:
    get(url.removesuffix("/v1") + "/reset", b"")
    started = time.perf_counter()
    process = subprocess.Popen(argv, cwd=cwd, env=env)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - started
    assert process.returncode == 0
    span_s = stats(url)["span_s"] or wall_s
    return Seen(rows / span_s, wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


class mock:
    """The mock server, in a process of its own."""

    def __init__(self, latency_s: float, fail: float = 0.0, more: tuple[str, ...] = ()) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._options = ["--port", str(self._port), "--latency", str(latency_s), "--fail", str(fail), *more]

    def __enter__(self) -> str:
        if not MOCK.exists():
            pytest.skip(f"needs {MOCK.name} beside the repository")
        self._process = subprocess.Popen([sys.executable, str(MOCK), *self._options])
        url = f"http://127.0.0.1:{self._port}/v1"
        for _ in range(200):
            try:
                stats(url)
                return url
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the mock server did not start")

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def stats(url: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(get(url.removesuffix("/v1") + "/stats"))
    return found


def get(url: str, data: bytes | None = None) -> bytes:
    with urllib.request.urlopen(url, data=data, timeout=10) as response:
        body: bytes = response.read()
        return body


def write_mcq(path: Path, rows: int) -> None:
    pick = random.Random(7)
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        for row in range(rows):
            words = " ".join(pick.choices(WORDS, k=50))
            options = dict(zip("ABCD", pick.sample(WORDS, 4), strict=True))
            question = {
                "question": f"Item {row}: which word goes with {words}?",
                **options,
                "answer": pick.choice("ABCD"),
            }
            file.write(json.dumps(question) + "\n")


def write_qa(path: Path, rows: int) -> None:
    pick = random.Random(7)
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        for row in range(rows):
            words = " ".join(pick.choices(WORDS, k=45))
            answer = "Step by step, the answer is " + " ".join(pick.choices(WORDS, k=12))
            file.write(json.dumps({"question": f"Question {row}: {words}?", "answer": answer}) + "\n")


def many_problems(folder: Path, rows: int) -> Path:
    """Real problems where there are some, each with a number of its own."""
    if not (DATA / "gsm8k").is_dir():
        pytest.skip("needs gsm8k's rows beside the repository")
    folder.mkdir(parents=True)
    lines = (DATA / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    with (folder / "test.jsonl").open("w", encoding="utf-8") as file:
        for row in range(rows):
            problem = json.loads(lines[row % len(lines)])
            file.write(json.dumps({**problem, "question": f"({row}) {problem['question']}"}) + "\n")
    (folder / "train.jsonl").write_bytes((DATA / "gsm8k" / "train.jsonl").read_bytes())
    return folder


def write_bodies(run: Path, path: Path) -> None:
    """The requests that the engine sent, for the bare client."""
    (samples,) = (run / "jobs" / "native" / "samples").iterdir()
    with samples.open(encoding="utf-8") as records, path.open("w", encoding="utf-8") as bodies:
        for line in records:
            body = {"model": "mock-model", "messages": json.loads(line)["input"], "temperature": 0, "max_tokens": 2048}
            bodies.write(json.dumps(body) + "\n")
