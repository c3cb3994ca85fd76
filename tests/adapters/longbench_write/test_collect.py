"""A job folder → the report's rows and records, as a golden file has them.

In the folder: a text of the right length, one in Chinese, one that the judge was not understood about, one that was not
answered, and one that the job did not come to.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from golden_collect import collect, shown

from bridge.adapters.longbench_write.backend import LongBenchWriteBackend

GOLDEN = Path(__file__).parents[2] / "golden" / "longbench_write"
JUDGE = {"name": "the-judge", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}
CASES: dict[str, dict[str, Any]] = {
    "judged": {"judge": JUDGE, "options": {"longbench_write": {"judge": {"attempts": 2}}}},
    "length": {},
}


def made(case: str) -> dict[str, Any]:
    spec = {"datasets": [{"name": "longbench_write", "path": "tasks.jsonl"}], **CASES[case]}
    return shown(collect(LongBenchWriteBackend(), GOLDEN / "folder", spec))


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    assert made(case) == json.loads((GOLDEN / f"{case}.collected.json").read_text(encoding="utf-8"))


def test_records_can_be_read_more_than_once() -> None:
    spec = {"datasets": [{"name": "longbench_write", "path": "tasks.jsonl"}]}
    result = collect(LongBenchWriteBackend(), GOLDEN / "folder", spec)
    assert list(result.samples) == list(result.samples)
    assert len(list(result.samples)) == 5
