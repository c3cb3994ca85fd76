"""A real server: the quickstart's tiny model behind ms-swift, which answers one or eight requests at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import bridge

from bridge.report.read import read_report

pytestmark = pytest.mark.env
WEIGHTS = Path(__file__).parents[3] / "configs" / "quickstart" / "model"


@pytest.mark.parametrize("batch", [1, 8])
def test_the_knee_shows(batch: int, tmp_path: Path) -> None:
    deploy = {
        "path": str(WEIGHTS),
        "model_type": "qwen3",
        "template": "qwen",
        "args": {"max_batch_size": batch},
        "env": {"OMP_NUM_THREADS": "1"},
    }
    spec = {
        "model": {"name": "tiny", "deploy": deploy},
        "perf": {
            "prompts": {"input_tokens": 16},
            "output": {"max_tokens": 24, "extra_body": {"temperature": 0}},
            "load": [{"closed": [1, 2, 8, 16]}],
            "stop": {"requests": 32, "duration": "15s"},
            "warmup": {"requests": 2},
        },
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    done = bridge("perf", tmp_path / "spec.json", "--dir", tmp_path / "run", "-q")
    assert done.exit_code in (0, 7), done.stderr
    report = read_report(tmp_path / "run" / "report.json")
    found = {(row.subset, row.metric): row.value for row in report.results}
    rate = {users: found[f"closed={users}", "req_s.wall"] or 0.0 for users in (1, 2, 8, 16)}
    wait = {users: found[f"closed={users}", "ttft.p50"] or 0.0 for users in (1, 2, 8, 16)}
    print(f"max_batch_size {batch}: requests/s {rate}, ttft {wait}")
    # With one at a time, sixteen users wait for each other; with eight, eight do not.
    assert wait[16] > 4 * wait[1] if batch == 1 else wait[8] < wait[16]
    assert rate[16] < 4 * rate[1] if batch == 1 else rate[8] > 1.5 * rate[1]
