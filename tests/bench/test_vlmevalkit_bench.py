"""VLMEvalKit through bridge beside VLMEvalKit by hand: one dataset's requests, and nine datasets end to end.

    pytest -m bench tests/bench/test_vlmevalkit_bench.py -s

By hand is ``python -m vlmeval`` with its own defaults, in the same lean environment and with the same stand-ins (it
cannot be imported without). Neither goes through the gateway, whose cost has a benchmark of its own.
"""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "adapters" / "vlmevalkit"))

import vlm_runs
import vlm_toys

pytestmark = [pytest.mark.bench, pytest.mark.env]

MOCK = Path(__file__).parents[3] / "shared" / "tools" / "mock_openai.py"
NINE = (
    *("MMBench_DEV_EN", "MMBench_DEV_EN_V11", "MMStar", "MME", "POPE"),
    *("ChartQA_TEST", "TextVQA_VAL", "OCRBench", "MMMU_DEV_VAL"),
)
ROWS, LATENCY_S, IN_FLIGHT = 300, 0.05, 16


@pytest.fixture
def mock() -> Iterator[str]:
    if not MOCK.is_file():
        pytest.skip("the mock server is not here")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = [sys.executable, str(MOCK), "--port", str(port), "--latency", str(LATENCY_S)]
    with subprocess.Popen(argv) as server:
        _wait(port)
        yield f"http://127.0.0.1:{port}/v1"
        server.kill()


def _wait(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 0.1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("the mock server does not start")


def stats(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as response:
        return dict(json.load(response))


def reset(url: str) -> None:
    urllib.request.urlopen(urllib.request.Request(url.removesuffix("/v1") + "/reset", data=b"", method="POST")).close()


def children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("attempt", range(3))
def test_window_of_300_samples(mock: str, tmp_path: Path, attempt: int) -> None:
    vlm_toys.write(tmp_path / "big.tsv", vlm_toys.choices(ROWS))
    vlm_runs.python_of(vlm_runs.LEAN)
    task = vlm_runs.make_task(
        [{"name": "custom_mcq", "alias": "big", "path": str(tmp_path / "big.tsv")}], concurrency=IN_FLIGHT
    )
    reset(mock)
    started = time.perf_counter()
    ran = vlm_runs.run(task, mock, tmp_path / "run")
    total, seen = time.perf_counter() - started, stats(mock)
    ideal = ROWS * LATENCY_S / IN_FLIGHT
    print(
        f"\nattempt {attempt}: window {seen['span_s']:.2f} s, {seen['span_s'] / ideal:.2f} times the ideal, "
        f"peak in flight {seen['peak_in_flight']}, end to end {total:.2f} s",
        end="",
    )
    assert ran.primary("big").n == ROWS


def test_nine_datasets_beside_by_hand(mock: str, tmp_path: Path) -> None:
    tables = vlm_toys.write_all(tmp_path / "tables", *NINE)
    task = vlm_runs.make_task([{"name": name, "path": str(tables)} for name in NINE], concurrency=IN_FLIGHT)
    vlm_runs.python_of(vlm_runs.LEAN)
    for attempt in range(3):
        before, started = children_cpu_s(), time.perf_counter()
        ran = vlm_runs.run(task, mock, tmp_path / f"run-{attempt}")
        ours = time.perf_counter() - started, children_cpu_s() - before
        before, started = children_cpu_s(), time.perf_counter()
        hand = vlm_runs.by_hand(mock, tables, tmp_path / f"hand-{attempt}", *NINE, **{"api-nproc": 4, "retry": 6})
        theirs = time.perf_counter() - started, children_cpu_s() - before
        print(
            f"\nbridge {ours[0]:6.2f} s ({ours[1]:5.2f} s cpu), by hand {theirs[0]:6.2f} s ({theirs[1]:5.2f} s cpu), "
            f"{theirs[0] / ours[0]:.1f} times as fast",
            end="",
        )
        assert all(ran.primary(name).value is not None and hand[name]["metrics"] for name in NINE)
