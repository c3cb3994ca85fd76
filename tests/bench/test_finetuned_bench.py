"""Base and tuned on 1,000 rows with the tiny model, beside ms-swift as it is by default (one request at a time).

pytest -m bench tests/bench/test_finetuned_bench.py -s
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from finetuned.real_training import make_base

from bridge.runs import run
from bridge.spec import TaskSpec

pytestmark = [pytest.mark.bench, pytest.mark.env]
ROWS, ROWS_BY_DEFAULT = 1000, 200


def rates(base: Path, tuned: Path, rows: Path, root: Path, limit: int, **args: Any) -> list[float]:
    """Samples per second of each model, without the start of its server."""
    models = [
        {"name": name, "deploy": {"path": str(folder), "model_type": "qwen2", "template": "qwen", "args": args}}
        for name, folder in (("base", base), ("tuned", tuned))
    ]
    spec = {"models": models, "datasets": [{"name": "general_qa", "path": str(rows)}], "limit": limit}
    report = run(TaskSpec.model_validate({**spec, "generation": {"max_tokens": 8}}), output=root)
    assert report.exit_code == 0, report.errors
    outcomes = [
        json.loads((root / "jobs" / name / "native" / "outcome.json").read_text()) for name in ("base", "tuned")
    ]
    return [limit / outcome["duration_s"] for outcome in outcomes]


def test_base_and_tuned_on_1000_rows(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    tuned = tmp_path / "tuned"
    shutil.copytree(base, tuned)
    rows = tmp_path / "rows"
    rows.mkdir()
    lines = [json.dumps({"query": f"What is {a}+{b}?", "response": str(a + b)}) for a in range(40) for b in range(25)]
    (rows / "sums.jsonl").write_text("\n".join(lines), encoding="utf-8")
    ours = rates(base, tuned, rows, tmp_path / "ours", ROWS)
    default = rates(base, tuned, rows, tmp_path / "default", ROWS_BY_DEFAULT, max_batch_size=1)
    print(f"\n{'samples per second':<44}{'base':>8}{'tuned':>8}")
    print(f"{f'bridge ({ROWS} rows)':<44}{ours[0]:>8.1f}{ours[1]:>8.1f}")
    print(f"{f'max_batch_size 1, the default ({ROWS_BY_DEFAULT} rows)':<44}{default[0]:>8.1f}{default[1]:>8.1f}")
    print(f"{'times as many':<44}{ours[0] / default[0]:>8.1f}{ours[1] / default[1]:>8.1f}")
