"""Benchmarks of other packages: one with an entry point, in a folder of its own, seen by processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """\
from dataclasses import replace
from bridge.native.benchmarks.gsm8k import BENCHMARK as GSM8K
BENCHMARK = replace(GSM8K, name="{name}", hub=None)
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    info = tmp_path / "mine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    entries = "own_sums = mine:BENCHMARK\ngsm8k = mine:BENCHMARK\n"
    (info / "entry_points.txt").write_text(f"[bridge.benchmarks]\n{entries}")
    (tmp_path / "mine.py").write_text(CODE.format(name="own_sums"))
    return tmp_path


def python(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)


def test_it_is_listed_and_resolved_and_takes_no_name_over(package: Path) -> None:
    done = python(
        package,
        "from bridge.native.backend import NativeBackend as B; from bridge.native.benchmarks import benchmark, file_of;"
        "print(list(B().datasets())[-1], B().resolve('native:own_sums').name, file_of('own_sums').name,"
        "benchmark('gsm8k').hub is not None)",
    )
    assert done.stdout.split() == ["own_sums", "own_sums", "mine.py", "True"], done.stderr


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (CODE.format(name="other"), "own_sums = mine:BENCHMARK is to be a Benchmark of that name"),
        ("import nothing_like_this", "own_sums = mine:BENCHMARK cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_what_is_no_benchmark_is_refused(package: Path, code: str, message: str) -> None:
    (package / "mine.py").write_text(code)
    done = python(package, "from bridge.cli.main import main; main(['datasets', '--backend', 'native'])")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
