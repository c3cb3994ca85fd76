"""HumanEval's programs, ten times each: a warm server for each core, beside a sandbox made for each program.

pytest -m bench tests/bench/test_sandbox_bench.py -s
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bridge.sandbox.programs import Allowed, Program, Programs
from bridge.sandbox.room import Room, command, interpreter

pytestmark = pytest.mark.bench
DATA = Path(os.environ.get("BRIDGE_DATA") or Path(__file__).parents[3] / "shared" / "data") / "humaneval"
REPEATS = 10
SHARE_OF_COLD = 2
"""A sandbox for each program is slow: so many repeats are enough to tell how slow."""


def _programs() -> list[Program]:
    with gzip.open(DATA / "HumanEval.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Program(row["prompt"] + row["canonical_solution"], f"{row['test']}\ncheck({row['entry_point']})\n")
        for row in rows
    ]


def _warm(share: Sequence[Program]) -> int:
    with Programs(Allowed()) as programs:
        return sum(programs.run(program).passed for program in share)


def _cold(share: Sequence[Program]) -> int:
    argv = command(Room("system", nobody=True), [interpreter(), "-I", "-S", "-c"])
    return sum(
        subprocess.run([*argv, f"{one.source}\n{one.tests}"], env={}, check=False).returncode == 0 for one in share
    )


def _machine_cpu_s() -> float:
    """User and system time of all that runs here."""
    user, nice, system = map(int, Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def test_humaneval_ten_times() -> None:
    if not DATA.exists():
        pytest.skip("needs humaneval's real rows beside the repository, or in BRIDGE_DATA")
    cores = min(2, os.cpu_count() or 1)
    once = _programs()
    for name, work, repeats in (("warm servers", _warm, REPEATS), ("one bwrap each", _cold, SHARE_OF_COLD)):
        todo = once * repeats
        began, cpu_s = time.monotonic(), _machine_cpu_s()
        with ThreadPoolExecutor(cores) as pool:
            passed = sum(pool.map(work, [todo[at::cores] for at in range(cores)]))
        took, busy = time.monotonic() - began, (_machine_cpu_s() - cpu_s) / cores
        each = took / len(todo)
        full = each * len(once) * REPEATS
        print(
            f"{name:15} {len(todo):5} programs {took:6.1f} s  {each * 1e3:6.1f} ms each  {full:6.1f} s for 164 × 10"
            f"  (the machine was busy for {busy:.1f} s of {took:.1f} s on each core, with all that ran on it)"
        )
        assert passed == len(todo)
