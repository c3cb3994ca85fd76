"""Records what real VLMEvalKit runs leave, for ``test_collect.py``; needs the environments.

    PYTHONPATH=tests:tests/adapters/vlmevalkit python tests/adapters/vlmevalkit/vlm_record.py

Look at what changes in ``tests/golden/vlmevalkit`` before it is committed: ``expected.json`` is made here too.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import vlm_toys
from fault_server import OK, Fault, FaultServer, prompt_of
from server_thread import serving
from vlm_runs import make_task, run

from bridge.backend import BenchmarkResult

GOLDEN = Path(__file__).parents[2] / "golden" / "vlmevalkit"
CASES: dict[str, dict[str, Any]] = {
    "families": {
        "datasets": [
            {"name": name, "path": "tables"}
            for name in ("MMBench_DEV_EN", "MMStar", "MMMU_DEV_VAL", "MME", "POPE", "ChartQA_TEST", "OCRBench")
        ]
    },
    "judged": {
        "datasets": [{"name": name, "path": "tables"} for name in ("MathVista_MINI", "MMVet")],
        "judge": {"name": "org/judge", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}},
    },
    "failures": {
        "datasets": [
            {"name": "MMStar", "path": "tables", "repeats": 2, "generation": {"temperature": 0.5}},
            {"name": "MMBench_DEV_EN", "path": "tables"},
            {"name": "custom_vqa", "alias": "own", "path": "tables/MathVista_MINI.tsv"},
            {"name": "VizWiz", "path": "tables"},
        ],
    },
}


ROW = (
    *("metric", "value", "unit", "max_value", "subset", "category", "split"),
    *("n", "n_errors", "primary", "status", "reason"),
)
SAMPLE = ("sample_id", "repeat", "subset", "target", "response", "extracted", "scores", "error")


def treat(body: dict[str, Any]) -> Fault:
    text = vlm_toys.text_of(prompt_of(body))
    return Fault(status=500, message="boom") if "Item 3" in text or "Q1:" in text else OK


def told(result: BenchmarkResult) -> dict[str, Any]:
    """What is compared: everything but hashes, times and paths."""
    return {
        "rows": [{name: getattr(row, name) for name in ROW} for row in result.rows],
        "samples": [sample.model_dump(include=set(SAMPLE)) for sample in result.samples],
        "errors": [[error.kind, error.count, error.message] for error in result.errors],
    }


def spec_of(case: str, tables: Path) -> dict[str, Any]:
    text = json.dumps(CASES[case]).replace('"tables', f'"{tables}')
    return dict(json.loads(text))


def record(case: str, folder: Path) -> None:
    tables = vlm_toys.write_all(folder / "tables", "MMBench_DEV_EN", "MMStar", "MMMU_DEV_VAL", "MME", "POPE",
                                "ChartQA_TEST", "OCRBench", "MathVista_MINI", "MMVet")  # fmt: skip
    with (
        serving(FaultServer(answer=vlm_toys.answer, rule=treat if case == "failures" else None)) as model,
        serving(FaultServer(answer=vlm_toys.judge)) as judge,
    ):
        task = make_task(**spec_of(case, tables))
        ran = run(task, model.server.base_url, folder / "run", judge.server.base_url)
    target = GOLDEN / "collect" / case
    shutil.rmtree(target, ignore_errors=True)
    for job in ran.folders:
        kept = [job / "job.json", *job.glob("datasets/*/result.json"), *job.glob("datasets/*/samples.jsonl")]
        for path in kept:
            copy = target / "jobs" / path.relative_to(job.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(path.read_text(encoding="utf-8").replace(str(folder), "FOLDER"), encoding="utf-8")
    expected = {name: told(result) for name, result in ran.results.items()}
    text = json.dumps(expected, indent=1, ensure_ascii=False).replace(str(folder), "FOLDER")
    (target / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name in CASES:
        with tempfile.TemporaryDirectory() as scratch:
            record(name, Path(scratch))
