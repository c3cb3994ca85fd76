"""A task and its job over small files."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer
from toolbench_files import GIVE_UP, Json, finished, react, static_row, step_taken

from bridge.adapters.toolbench.backend import ToolBenchBackend
from bridge.backend import Endpoint, Job, Task
from bridge.spec import TaskSpec


@pytest.fixture
def static_rows() -> dict[str, list[Json]]:
    """Every kind of reference: a call with and without arguments, an end, a giving up, and two to be left out."""
    return {
        "in_domain": [
            static_row("Query 0: is it cold?", react("weather_for_skies", {"city": "Oslo"})),
            static_row("Query 1: which way?", react("route_for_roads", {})),
            static_row("Query 2: is it cold?", finished("It is cold in Oslo."), *step_taken()),
            static_row("Query 3: is it cold?", GIVE_UP, *step_taken("no such city")),
            static_row("Query 4: hm?", react("spott", {"is_id": "x"})),
        ],
        "out_of_domain": [
            static_row("Query 5: is it cold?", react("weather_for_skies", {"city": "Rome"})),
            static_row("Query 6: hm?", react("invalid_hallucination_function_name", {})),
            static_row("Query 7: which way?", react("route_for_roads", {"from": "A", "to": "B"})),
        ],
    }


@pytest.fixture
def static_folder(tmp_path: Path, static_rows: dict[str, list[Json]]) -> Path:
    folder = tmp_path / "toolbench_static"
    folder.mkdir()
    for subset, rows in static_rows.items():
        (folder / f"{subset}.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder


@pytest.fixture
def make_task(static_folder: Path) -> Callable[..., Task]:
    def make(
        name: str = "toolbench_static",
        judge: bool = False,
        concurrency: int = 4,
        dataset: Json | None = None,
        options: Json | None = None,
        **fields: Any,
    ) -> Task:
        endpoint = {"base_url": "http://127.0.0.1:9/v1"}
        spec = TaskSpec.model_validate(
            {
                "model": {"name": "tiny", "endpoint": endpoint},
                "backend": "toolbench",
                "datasets": [{"name": name, "path": str(static_folder), **(dataset or {})}],
                "judge": {"name": "judge-model", "endpoint": endpoint} if judge else None,
                "options": {"toolbench": options} if options else {},
                **fields,
            }
        )
        return Task(spec, spec.all_models[0], spec.datasets, concurrency)

    return make


@pytest.fixture
def job_of() -> Callable[..., Job]:
    def make(task: Task, model_url: str = "http://127.0.0.1:9/v1", judge_url: str | None = None) -> Job:
        judge = Endpoint(judge_url, "judge-model", api_key="judge-token") if judge_url else None
        endpoint = Endpoint(model_url, "tiny", api_key="model-token", judge=judge)
        (job,) = ToolBenchBackend().translate(task, endpoint)
        return job

    return make


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as running:
        yield running
