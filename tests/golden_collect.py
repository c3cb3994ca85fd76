"""A collected result as the golden files hold it: what a reader of the report sees, and every record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bridge.backend import Backend, BenchmarkResult, Outcome, Task
from bridge.spec import TaskSpec

_SHOWN = ("metric", "subset", "category", "value", "n", "n_errors", "stderr", "primary", "status", "reason")


def collect(backend: Backend, folder: Path, spec: dict[str, Any]) -> BenchmarkResult:
    """What the backend makes of a job folder that was left with exit code 0."""
    endpoint = {"base_url": "http://127.0.0.1:9/v1"}
    task_spec = TaskSpec.model_validate({"model": {"name": "tiny", "endpoint": endpoint}, **spec})
    task = Task(task_spec, task_spec.all_models[0], task_spec.datasets, 2)
    outcome = Outcome(job="j", backend=backend.name, model="tiny", dir=folder, exit_code=0, started_at="then")
    (result,) = backend.collect(outcome, task)
    return result


def shown(result: BenchmarkResult) -> dict[str, Any]:
    rows = [
        {name: value for name, value in row.model_dump(mode="json").items() if name in _SHOWN} for row in result.rows
    ]
    for row in rows:
        row["value"], row["stderr"] = _rounded(row["value"]), _rounded(row["stderr"])
    return {
        "settings": result.rows[0].settings,
        "rows": [{name: value for name, value in row.items() if value is not None} for row in rows],
        "samples": [sample.model_dump(mode="json", exclude_none=True) for sample in result.samples],
        "errors": [error.message for error in result.errors],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 9)
