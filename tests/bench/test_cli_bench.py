"""CPU seconds of commands, each in a process of its own: ``pytest -m bench tests/bench/test_cli_bench.py -s``."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.bench
RUNS = 7
ENTRY = "from bridge.cli.main import entry; entry()"
COMMANDS = ("--help", "--version", "run --help", "datasets", "datasets --json", "backends", "schema spec", "env list")


def cpu_s(argv: list[str]) -> float:
    """User and system time of the process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=120)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def test_cpu_of_commands() -> None:
    measured = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import typer'": [sys.executable, "-c", "import typer"],
    }
    measured |= {f"bridge {command}": [sys.executable, "-c", ENTRY, *command.split()] for command in COMMANDS}
    figures = {name: [cpu_s(argv) for _ in range(RUNS)] for name, argv in measured.items()}
    print(f"\nCPU of {RUNS} runs each, python {Path(sys.executable)}")
    print(f"{'command':<28}{'median ms':>10}{'least ms':>10}")
    for name, seconds in figures.items():
        print(f"{name:<28}{statistics.median(seconds) * 1000:>10.0f}{min(seconds) * 1000:>10.0f}")
    assert all(figures.values())
