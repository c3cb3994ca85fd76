"""bridge beside EvalScope 1.14.1, lm-evaluation-harness 0.4.13 and Inspect 0.3.285: whole commands, in turn.

    pytest -m bench tests/bench/test_peers_bench.py -s

The same rows, the same server, the same number in flight. Printed are the wall and CPU time of the command, and the
requests per second from the first to the last. Each peer is asked as its own documentation says, and once before to
warm up; no time is asserted.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from peers import PEERS, Scene, whole_environment
from test_native_bench import DATA, WORDS, get, mock, stats

pytestmark = pytest.mark.bench
ROWS = 2000


@pytest.mark.parametrize("in_flight", [16, 64, 256])
def test_multiple_choice(in_flight: int, tmp_path: Path) -> None:
    side_by_side(Scene("mcq", choices(), in_flight), tmp_path, latency_s=0.05)


def test_questions(tmp_path: Path) -> None:
    side_by_side(Scene("qa", questions(), 64), tmp_path, latency_s=0.05)


def test_gsm8k(tmp_path: Path) -> None:
    side_by_side(Scene("gsm8k", problems(600), 64), tmp_path, latency_s=0.05)


def test_jittered_latency(tmp_path: Path) -> None:
    side_by_side(Scene("mcq", choices()[:1000], 64), tmp_path, latency_s=0.5, more=("--jitter",))


def test_errors(tmp_path: Path) -> None:
    side_by_side(Scene("mcq", choices(), 64), tmp_path, latency_s=0.05, more=("--fail", "0.05"))


def side_by_side(scene: Scene, folder: Path, *, latency_s: float, more: tuple[str, ...] = ()) -> None:
    title = f"{scene.kind}, {len(scene.rows):,} rows, {scene.in_flight} in flight, {latency_s * 1000:.0f} ms"
    print(f"\n{title} {' '.join(more)}")
    walls = {}
    for name, prepare in PEERS.items():
        warm_up(name, scene, folder / f"{name}-warm")
        (folder / name).mkdir()
        with mock(latency_s, more=more) as url:
            run = prepare(scene, url, folder / name)
            get(url.removesuffix("/v1") + "/reset", b"")
            started = time.perf_counter()
            with (run.folder / "log.txt").open("wb") as log:
                process = subprocess.Popen(run.argv, cwd=run.folder, env=whole_environment(run), stdout=log, stderr=log)
                _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            wall_s, cpu_s, seen = time.perf_counter() - started, used.ru_utime + used.ru_stime, stats(url)
        if process.returncode == 0 and seen["requests"] >= len(scene.rows):
            walls[name] = wall_s
        rate = seen["requests"] / seen["span_s"] if seen["span_s"] else 0
        print(
            f"  {name:10} {wall_s:6.1f} s wall {cpu_s:6.1f} s CPU {rate:6.0f} requests/s "
            f"{seen['requests']:5} requests, peak {seen['peak_in_flight']:3} in flight, exit {process.returncode}"
        )
        if name == "bridge":
            assert process.returncode == 0, (run.folder / "log.txt").read_text(errors="replace")[-2000:]
    best = min((wall, name) for name, wall in walls.items() if name != "bridge")
    print(f"  bridge is {best[0] / walls['bridge']:.1f} times as fast as the best of them ({best[1]})")


def warm_up(name: str, scene: Scene, folder: Path) -> None:
    """Four rows: what is compiled and cached on the first start is not measured."""
    folder.mkdir()
    with mock(0.0) as url:
        run = PEERS[name](replace(scene, rows=scene.rows[:4]), url, folder)
        subprocess.run(run.argv, cwd=run.folder, env=whole_environment(run), capture_output=True, check=False)


def choices() -> list[dict[str, Any]]:
    pick = random.Random(7)
    return [
        {
            "id": at,
            "question": f"Item {at}: which of these goes with {' '.join(pick.choices(WORDS, k=50))}?",
            "choices": pick.sample(WORDS, 4),
            "answer": pick.choice("ABCD"),
        }
        for at in range(ROWS)
    ]


def questions() -> list[dict[str, Any]]:
    pick = random.Random(8)
    return [
        {
            "id": at,
            "question": f"Question {at}: {' '.join(pick.choices(WORDS, k=45))}. How many? End with 'ANSWER: <number>'.",
            "answer": str(pick.randrange(50)),
        }
        for at in range(ROWS)
    ]


def problems(rows: int) -> list[dict[str, Any]]:
    if not (DATA / "gsm8k").is_dir():
        pytest.skip("needs gsm8k's rows beside the repository")
    lines = (DATA / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()[:rows]
    return [{"id": at, **json.loads(line)} for at, line in enumerate(lines)]
