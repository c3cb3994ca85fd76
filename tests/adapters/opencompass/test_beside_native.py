"""The same dataset through native and OpenCompass in one run, and ``bridge compare``: where they disagree, and why."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from command import bridge
from fault_server import FaultServer
from server_thread import serving

from bridge.report.schema import Report, Status
from bridge.runs import run
from bridge.spec import TaskSpec

pytestmark = pytest.mark.env

SHARED = Path(__file__).parents[4] / "shared" / "data"
ROWS = 20
MMLU, BBH = ("abstract_algebra", "marketing"), ("penguins_in_a_table", "navigate")


def answer(prompt: str) -> str:
    """Now a letter by the whole prompt, which the frameworks do not share, now words that each reads in its own way."""
    chance = hashlib.sha256(prompt.encode()).digest()
    letter = "ABCD"[chance[0] % 4]
    return f"So the answer is ({letter})." if chance[1] % 2 else "Choice D seems right, as A and B are not"


@pytest.fixture(scope="module")
def folder(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not SHARED.exists():
        pytest.skip(f"{SHARED} is not there: real rows are not part of the repository")
    root = tmp_path_factory.mktemp("beside")
    datasets: list[dict[str, Any]] = [
        {"name": name, "backend": backend, "subsets": list(subsets), "limit": ROWS}
        for name, subsets in (("mmlu", MMLU), ("bbh", BBH))
        for backend in ("native", "opencompass")
    ]
    with serving(FaultServer(answer=answer, model="tiny")) as thread:
        spec = {
            "name": "beside",
            "model": {"name": "tiny", "endpoint": {"base_url": thread.server.base_url}},
            "datasets": datasets,
            "data": str(SHARED),
        }
        report = run(TaskSpec.model_validate(spec), output=root / "run")
    assert report.status is Status.COMPLETE
    return root / "run"


def test_both_stand_side_by_side_in_the_report(folder: Path) -> None:
    report = Report.model_validate_json((folder / "report.json").read_text(encoding="utf-8"))
    primary = {(row.dataset, row.backend): row for row in report.results if row.primary}
    assert primary.keys() == {(name, backend) for name in ("mmlu", "bbh") for backend in ("native", "opencompass")}
    assert {row.n for row in primary.values()} == {2 * ROWS}


def test_the_samples_where_they_disagree_are_told_with_the_reason(folder: Path) -> None:
    ran = bridge("compare", folder, "--json", "--flips", "100")
    assert ran.exit_code == 0
    (against,) = json.loads(ran.stdout)["against"]
    compared = {one["dataset"]: one for one in against["datasets"]}
    mmlu, bbh = compared["mmlu"], compared["bbh"]
    assert mmlu["n"] == bbh["n"] == 2 * ROWS
    assert mmlu["reasons"].keys() >= {"prompt", "extraction"}
    told = [*mmlu["flips_lost"], *mmlu["flips_gained"]]
    assert len(told) == sum(mmlu["reasons"].values())
    for flip in told:
        same = flip["baseline"]["response"] == flip["candidate"]["response"]
        assert (flip["reason"] == "extraction") == same
        assert flip["baseline"]["extracted"] != flip["candidate"]["extracted"] or flip["reason"] == "prompt"
    assert bbh["reasons"].keys() >= {"prompt", "extraction"}
