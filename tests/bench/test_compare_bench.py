"""``bridge compare`` over 2 × 200,000 samples.

pytest -m bench tests/bench/test_compare_bench.py -s
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import make_model, make_report, make_row
from runs import write

pytestmark = pytest.mark.bench
N = 200_000
MEASURED = """
import resource, sys, time
began = time.monotonic()
from bridge.cli.main import main
try:
    main(["compare", *sys.argv[1:]])
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = used.ru_utime + used.ru_stime
    print(f"{time.monotonic() - began:.1f} s, {cpu_s:.1f} s CPU, {used.ru_maxrss / 1024:.0f} MB", file=sys.stderr)
"""


def test_two_runs_of_200_000_samples(tmp_path: Path) -> None:
    folders = [_run(tmp_path / name, name, accuracy) for name, accuracy in (("a", 0.8), ("b", 0.79))]
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.jsonl"))
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, folders), "--json"], capture_output=True, text=True, check=True
    )
    print(f"\nbridge compare, 2 x {N:,} samples, {size / 1e6:.0f} MB: {done.stderr.strip()}")
    assert json.loads(done.stdout)["against"][0]["datasets"][0]["n"] == N


def _run(root: Path, model: str, accuracy: float) -> Path:
    path = root / "samples" / "d.jsonl"
    path.parent.mkdir(parents=True)
    draw = random.Random(model)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_line(at, model, draw, accuracy) for at in range(N))
    row = make_row(model=model, dataset="d", samples="samples/d.jsonl", n=N, value=accuracy)
    return write(root, make_report(models=(make_model(name=model),), results=(row,)))


def _line(at: int, model: str, draw: random.Random, accuracy: float) -> str:
    said = str(draw.randrange(9))
    record = {
        "model": model,
        "dataset": "d",
        "subset": f"s{at % 57}",
        "sample_id": str(at),
        "repeat": 0,
        "input": [{"role": "user", "content": f"question {at} {'x' * 700}"}],
        "prompt_sha256": f"{at:064x}",
        "target": "4",
        "response": f"The answer is {said}. {'y' * 100}",
        "extracted": said,
        "scores": {"accuracy": float(draw.random() < accuracy)},
        "error": None,
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 200, "completion_tokens": 40},
        "latency_s": 0.5,
        "metadata": {"index": at},
    }
    return json.dumps(record) + "\n"
