"""A task and its job over twelve small rows in two languages, and two ways to run it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer
from job_runner import outcome_of, prepare

from bridge.adapters.longbench_write import inside
from bridge.adapters.longbench_write.backend import LongBenchWriteBackend
from bridge.adapters.longbench_write.settings import WriteJob
from bridge.backend import Endpoint, Job, Outcome, Task
from bridge.spec import TaskSpec

MakeTask = Callable[..., Task]
TYPES = ("News Report", "Popular Science", "Functional Writing")


def rows(n: int) -> list[dict[str, Any]]:
    return [
        {
            "prompt": f"写一篇关于第{at}件事的文章" if at % 4 == 3 else f"Write about thing number {at}.",
            "type": TYPES[at % 3],
            "length": (100, 600, 2500, 5000)[at % 4],
        }
        for at in range(n)
    ]


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[[int], Path]:
    def write(n: int) -> Path:
        path = tmp_path / "longbench_write.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows(n)), encoding="utf-8")
        return path

    return write


@pytest.fixture
def make_task(write_rows: Callable[[int], Path]) -> MakeTask:
    def make(
        judge: bool = True, concurrency: int = 4, n: int = 12, dataset: dict[str, Any] | None = None, **fields: Any
    ) -> Task:
        judge_model = {"name": "judge-model", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}
        spec = TaskSpec.model_validate(
            {
                "model": {"name": "tiny", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}},
                "backend": "longbench_write",
                "datasets": [{"name": "longbench_write", "path": str(write_rows(n)), **(dataset or {})}],
                "judge": judge_model if judge else None,
                **fields,
            }
        )
        return Task(spec, spec.all_models[0], spec.datasets, concurrency)

    return make


@pytest.fixture
def job_of() -> Callable[..., Job]:
    """The only job of a task, told where its two models are."""

    def make(task: Task, model_url: str, judge_url: str | None = None) -> Job:
        judge = Endpoint(judge_url, "judge-model", api_key="judge-token") if judge_url else None
        endpoint = Endpoint(model_url, "tiny", api_key="model-token", judge=judge)
        (job,) = LongBenchWriteBackend().translate(task, endpoint)
        return job

    return make


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch) -> Callable[[Job, Path], Awaitable[Outcome]]:
    """Runs a job in this process, which starts sooner than one of its own."""

    async def run(job: Job, folder: Path) -> Outcome:
        prepare(job, folder)
        monkeypatch.chdir(folder)
        for name, value in job.env.items():
            monkeypatch.setenv(name, value)
        described = WriteJob.model_validate_json(job.files["job.json"])
        await inside.run(described, inside.prepared(described), inside.judge_prompt(described.judging))
        return outcome_of(job, folder, 0)

    return run


@pytest.fixture
async def model() -> AsyncIterator[FaultServer]:
    async with FaultServer() as server:
        yield server


@pytest.fixture
async def judge() -> AsyncIterator[FaultServer]:
    """Marks every text with threes and fours, as told by its form."""
    marks = {"Relevance": 4, "Accuracy": 3, "Coherence": 4, "Clarity": 3}
    said = json.dumps({"Analysis": "ok", **marks, "Breadth and Depth": 4, "Reading Experience": 3})
    async with FaultServer(answer=lambda prompt: said) as server:
        yield server
