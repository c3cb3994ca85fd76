"""Only the modules that a run needs are imported; that nothing else changes, the comparisons by hand show."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import opencompass_toys as toys
import pytest
from fault_server import FaultServer
from opencompass_runs import make_task, run_task
from server_thread import serving

from bridge.adapters.opencompass import catalog

pytestmark = pytest.mark.env

SCRIPTS = Path(__file__).parents[3] / "scripts"
PROGRAM = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
import inside
inside.register()
inside.import_framework(lean=True)
from ocbridge import lean

def loaded():
    return len([name for name in sys.modules if name.startswith("opencompass.datasets.")])

kinds = ["opencompass.datasets.MMLUDataset", "opencompass.models.OpenAISDK"]
lean.preload([{"deep": [{"type": kind}]} for kind in kinds])
said = {"cpu_s": time.process_time(), "few": loaded(), "mmlu": "opencompass.datasets.mmlu" in sys.modules}
import opencompass.datasets
said["submodule"] = opencompass.datasets.gsm8k.__name__
try:
    opencompass.datasets.NoSuchDataset
except AttributeError as error:
    said["unknown"] = str(error)
lean.preload([{"type": "GaokaoBenchEvaluator_cloze"}])
from opencompass.registry import ICL_EVALUATORS
said |= {"all": loaded(), "registered": ICL_EVALUATORS.get("GaokaoBenchEvaluator_cloze") is not None}
said["same"] = opencompass.datasets.MMLUDataset is sys.modules["opencompass.datasets.mmlu"].MMLUDataset
print(json.dumps(said))
"""


def test_what_is_not_asked_for_is_not_imported_and_all_is_where_a_registry_is_asked(python: Path) -> None:
    argv = [str(python), "-c", PROGRAM, str(catalog.HERE)]
    run = subprocess.run(argv, capture_output=True, text=True, check=True)
    said: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    assert said["mmlu"] and said["few"] < 20
    assert said["submodule"] == "opencompass.datasets.gsm8k"
    assert "NoSuchDataset" in said["unknown"]
    assert said["all"] > 250 and said["registered"] and said["same"]


def test_the_index_is_that_of_the_real_packages(python: Path) -> None:
    program = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import index_opencompass as index;"
        "index.inside.register(); index.inside.import_framework(lean=False);"
        "from ocbridge.lean import PACKAGES;"
        "print(json.dumps({package: index.names_of(package) for package in PACKAGES}))"
    )
    run = subprocess.run([str(python), "-c", program, str(SCRIPTS)], capture_output=True, text=True, check=True)
    shipped = json.loads((catalog.HERE / "ocbridge" / "modules.json").read_text(encoding="utf-8"))
    assert json.loads(run.stdout.splitlines()[-1]) == shipped


def test_predictions_and_results_are_the_same_with_everything_imported(python: Path, tmp_path: Path) -> None:
    """A benchmark whose evaluator is named in a registry makes the same job load all."""
    toys.write_all(tmp_path / "data")
    found: list[dict[str, Any]] = []
    for extra in ([], [{"name": "GaokaoBench", "subsets": ["2010-2022_Math_II_MCQs"]}]):
        folder = tmp_path / f"run{len(found)}"
        gaokao = tmp_path / "data/GAOKAO-BENCH/data/Multiple-choice_Questions/2010-2022_Math_II_MCQs.json"
        gaokao.parent.mkdir(parents=True, exist_ok=True)
        gaokao.write_text(json.dumps({"example": [{"question": "?", "answer": ["A"]}]}), encoding="utf-8")
        task = make_task(["gsm8k", "ARC_c", "hellaswag", *extra], data=str(tmp_path / "data"))
        with serving(FaultServer(answer=toys.answer, model="tiny")) as thread:
            ran = run_task(task, thread.server.base_url, python, folder)
        out = ran.job_folder() / "out"
        names = [f"{kind}/model/{name}.json" for kind in ("predictions", "results") for name in ("gsm8k", "ARC-c")]
        found.append({name: json.loads((out / name).read_text(encoding="utf-8")) for name in names})
    assert found[0] == found[1]
