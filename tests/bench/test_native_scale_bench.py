"""Native over 10,000, 100,000 and a million rows of a parquet folder: memory and the cost of a row."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.bench
SCRIPT = Path(__file__).parents[1] / "native_scale.py"


@pytest.mark.parametrize("rows", [10_000, 100_000, 1_000_000])
def test_the_cost_of_a_row(rows: int, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, SCRIPT, str(rows), tmp_path / "run"], capture_output=True, check=True)
    told = json.loads(done.stdout)
    engine_us, collect_us = (told[name] / rows * 1e6 for name in ("engine_s", "collect_s"))
    print(
        f"\n{rows:9,} rows: engine {engine_us:6.1f} µs/row, {told['engine_mb']:5.0f} MB;"
        f" collecting {collect_us:5.1f} µs/row, with it {told['both_mb']:5.0f} MB"
    )
