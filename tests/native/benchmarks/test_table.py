"""``docs/benchmarks.md`` lists what there is, as it is."""

from __future__ import annotations

import subprocess
import sys

from markdown_blocks import ROOT

from bridge.native.benchmarks import NAMES

SCRIPT = ROOT / "scripts" / "list_benchmarks.py"
PAGE = ROOT / "docs" / "benchmarks.md"


def test_the_page_lists_what_there_is() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_benchmark_has_all_cells() -> None:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert [line.split("`")[1] for line in lines] == [*NAMES]
    assert all(len([cell for cell in line.split(" | ") if cell.strip(" |")]) == 8 for line in lines)
