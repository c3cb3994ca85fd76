"""Jobs of the OpenCompass backend, run in its environment as ``launch`` does; and the ``opencompass`` command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bridge.backend import BenchmarkResult, Endpoint, Job, Outcome, Task
from bridge.launch import StopSignal, launch
from bridge.registry import backend
from bridge.spec import TaskSpec

MARKER = "[[failed-request-5b1e]]"


def make_task(datasets: Sequence[Any], **more: Any) -> Task:
    fields = {
        "model": {"name": "tiny", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}},
        "backend": "opencompass",
        "datasets": list(datasets),
        "max_retries": 0,
        "request_timeout_s": 20,
        **more,
    }
    spec = TaskSpec.model_validate(fields)
    assert spec.model is not None
    return Task(spec, spec.model, spec.datasets, spec.concurrency)


@dataclass(frozen=True)
class Ran:
    """A task after all of its jobs have ended."""

    task: Task
    folder: Path
    jobs: Sequence[Job]
    outcomes: Sequence[Outcome]
    results: dict[str, BenchmarkResult]

    def job_folder(self, at: int = 0) -> Path:
        return self.outcomes[at].dir


def run_task(
    task: Task,
    base_url: str,
    python: Path,
    folder: Path,
    checked: Callable[[], None] | None = None,
    judge_url: str = "",
    changed: Callable[[Job], Job] = lambda job: job,
) -> Ran:
    """``checked`` is called when the task has been found good, before its jobs start; ``changed`` tampers with them."""
    oc = backend("opencompass")
    endpoint = Endpoint(base_url, task.model.name, api_key="token-of-the-run", failed_marker=MARKER)
    if task.spec.judge is not None:
        judge = Endpoint(judge_url or base_url, task.spec.judge.name, api_key="token-of-the-judge")
        endpoint = replace(endpoint, judge=judge)
    assert oc.check(task) == []
    jobs = [changed(job) for job in oc.translate(task, endpoint)]
    if checked is not None:
        checked()
    outcomes = [asyncio.run(_launch(job, task, python, folder / "jobs" / job.id)) for job in jobs]
    results: dict[str, BenchmarkResult] = {}
    for job, outcome in zip(jobs, outcomes, strict=True):
        mine = replace(task, datasets=tuple(one for one in task.datasets if one.id in job.datasets))
        results |= {result.dataset: result for result in oc.collect(outcome, mine)}
    return Ran(task, folder, jobs, outcomes, results)


async def _launch(job: Job, task: Task, python: Path, folder: Path) -> Outcome:
    return await launch(
        job,
        model=task.model.name,
        python=python,
        folder=folder,
        job_digest="",
        stop=StopSignal(asyncio.Event()),
        failed_marker=MARKER,
    )
