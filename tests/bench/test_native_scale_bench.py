"""Native over 10,000, 100,000 and a million rows of a parquet folder: the cost of a row, and memory that stays flat.

    pytest -m bench tests/bench/test_native_scale_bench.py -s

The script asserts that each row is scored once and has its record. Here a hundred times the rows may take 1.3 times the
memory: Python itself, and a few bytes for each row that say where its record is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.bench
SCRIPT = Path(__file__).parents[1] / "native_scale.py"
ROWS = (10_000, 100_000, 1_000_000)
GROWTH = 1.3


def test_the_cost_of_a_row_and_memory(tmp_path: Path) -> None:
    print()
    told = {rows: measured(rows, tmp_path / str(rows)) for rows in ROWS}
    fewest = told[ROWS[0]]
    for rows, seen in told.items():
        assert seen["rows"] == rows
        assert seen["engine_mb"] <= GROWTH * fewest["engine_mb"], f"the engine grows with its rows: {rows:,}"
        assert seen["both_mb"] <= GROWTH * fewest["both_mb"], f"collecting grows with the rows: {rows:,}"


def measured(rows: int, folder: Path) -> dict[str, float]:
    done = subprocess.run([sys.executable, SCRIPT, str(rows), folder], stdout=subprocess.PIPE, check=True)
    told: dict[str, float] = json.loads(done.stdout)
    engine_us, collect_us = (told[name] / rows * 1e6 for name in ("engine_s", "collect_s"))
    print(
        f"{rows:9,} rows: engine {engine_us:6.1f} µs/row, {told['engine_mb']:5.0f} MB;"
        f" collecting {collect_us:5.1f} µs/row, with it {told['both_mb']:5.0f} MB"
    )
    return told
