"""Job folders → the report's rows and records, as golden files have them.

``static``: a right call, prose, an end, an invented tool, a wrong argument, a request that failed, and a row that is
left out; ``static_evalscope``: the same as EvalScope scores it; ``win_rate``: both solved, one solved, and an answer
missing on either side.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from golden_collect import collect, shown

from bridge.adapters.toolbench.backend import ToolBenchBackend

GOLDEN = Path(__file__).parents[2] / "golden" / "toolbench"
JUDGE = {"name": "the-judge", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}
STATIC = {"datasets": [{"name": "toolbench_static", "path": "rows"}]}
CASES: dict[str, dict[str, Any]] = {
    "static": STATIC,
    "static_evalscope": {**STATIC, "options": {"toolbench": {"compat": "evalscope"}}},
    "win_rate": {
        "datasets": [{"name": "toolbench_win_rate", "path": "answers"}],
        "judge": JUDGE,
        "options": {"toolbench": {"reference": "reference", "judge": {"votes": 2}}},
    },
}


def made(case: str) -> dict[str, Any]:
    return shown(collect(ToolBenchBackend(), GOLDEN / case, CASES[case]))


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    assert made(case) == json.loads((GOLDEN / f"{case}.collected.json").read_text(encoding="utf-8"))
