"""Runs VLMEvalKit jobs in their real environment against a scripted server, and VLMEvalKit itself by hand."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from job_runner import outcome_of, prepare

from bridge.adapters.vlmevalkit.backend import VLMEvalKitBackend
from bridge.adapters.vlmevalkit.translate import LEAN
from bridge.backend import BenchmarkResult, Endpoint, EnvSpec, Job, Task
from bridge.envs import ensure
from bridge.process import clean_env
from bridge.report.schema import ResultRow, SampleRecord
from bridge.spec import TaskSpec

BACKEND = VLMEvalKitBackend()
HAND = Path(__file__).with_name("vlm_by_hand.py")


def make_task(datasets: list[Any], **fields: Any) -> Task:
    base = {"model": {"name": "org/tiny", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}, "backend": "vlmevalkit"}
    spec = TaskSpec.model_validate({**base, "datasets": datasets, **fields})
    return Task(spec, spec.all_models[0], spec.datasets, concurrency=spec.concurrency)


@dataclass(frozen=True)
class Ran:
    """What a run through the backend came to."""

    task: Task
    folders: list[Path]
    results: dict[str, BenchmarkResult]

    def primary(self, dataset: str) -> ResultRow:
        (row,) = (row for row in self.results[dataset].rows if row.primary)
        return row

    def row(self, dataset: str, metric: str, subset: str | None = None, **more: Any) -> ResultRow:
        wanted = {"metric": metric, "subset": subset, "category": None, **more}
        rows = [r for r in self.results[dataset].rows if all(getattr(r, k) == v for k, v in wanted.items())]
        assert len(rows) == 1, [(r.metric, r.subset, r.category, r.split) for r in self.results[dataset].rows]
        return rows[0]

    def samples(self, dataset: str) -> dict[str, SampleRecord]:
        return {sample.sample_id: sample for sample in self.results[dataset].samples}

    def messages(self, dataset: str, kind: str | None = None) -> str:
        return "\n".join(e.message for e in self.results[dataset].errors if kind is None or e.kind == kind)

    def item_folder(self, dataset: str) -> Path:
        for folder in self.folders:
            for item in json.loads((folder / "job.json").read_text())["datasets"]:
                if item["id"] == dataset:
                    return folder / item["dir"]
        raise AssertionError(dataset)


def python_of(env: EnvSpec) -> Path:
    return asyncio.run(ensure(env))


def run_job(job: Job, folder: Path, timeout_s: float = 300) -> Any:
    prepare(job, folder)
    argv = [str(python_of(job.env_spec)), *job.argv[1:]]
    env = clean_env(job.env, job.pass_env)
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)
    return outcome_of(job, folder, done.returncode, done.stdout + done.stderr, "org/tiny")


def run(task: Task, url: str, folder: Path, judge_url: str = "http://127.0.0.1:9/v1") -> Ran:
    """Every job of the task, one after the other; results by dataset."""
    judge = Endpoint(judge_url, task.spec.judge.name, api_key="judge-token") if task.spec.judge else None
    endpoint = Endpoint(url, task.model.name, api_key="token-of-the-run", judge=judge)
    results: dict[str, BenchmarkResult] = {}
    folders = []
    for job in BACKEND.translate(task, endpoint):
        folders.append(folder / "jobs" / job.id)
        outcome = run_job(job, folders[-1])
        mine = Task(task.spec, task.model, tuple(d for d in task.datasets if d.id in job.datasets), task.concurrency)
        results |= {result.dataset: result for result in BACKEND.collect(outcome, mine)}
    return Ran(task, folders, results)


@dataclass
class Started:
    """A job while it runs."""

    task: Task
    job: Job
    folder: Path
    process: asyncio.subprocess.Process

    def result(self, dataset: str) -> Path:
        items = json.loads(self.job.files["job.json"])["datasets"]
        return self.folder / next(item["dir"] for item in items if item["id"] == dataset) / "result.json"

    def children(self) -> list[int]:
        told = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(child) for child in told.split()]

    def kill(self) -> None:
        for child in self.children():
            os.kill(child, signal.SIGKILL)
        self.process.kill()

    async def ended(self) -> Ran:
        await asyncio.wait_for(self.process.communicate(), 60)
        code = self.process.returncode
        outcome = outcome_of(self.job, self.folder, code, "", self.task.model.name)
        if code is not None and code < 0:
            outcome = outcome.model_copy(update={"exit_code": None, "reason": f"killed by signal {-code}"})
        results = {result.dataset: result for result in BACKEND.collect(outcome, self.task)}
        return Ran(self.task, [self.folder], results)


@asynccontextmanager
async def started(task: Task, url: str, folder: Path) -> AsyncIterator[Started]:
    (job,) = BACKEND.translate(task, Endpoint(url, task.model.name, api_key="token-of-the-run"))
    folder = folder / "jobs" / job.id
    prepare(job, folder)
    python = await ensure(job.env_spec)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        str(python), *job.argv[1:], cwd=folder, env=clean_env(job.env), stdout=pipe, stderr=pipe
    )
    one = Started(task, job, folder, process)
    try:
        yield one
    finally:
        if process.returncode is None:
            one.kill()
            await process.communicate()


def by_hand(
    url: str,
    tables: Path,
    folder: Path,
    *datasets: str,
    judge_url: str = "",
    env_spec: EnvSpec = LEAN,
    **arguments: Any,
) -> dict[str, Any]:
    """VLMEvalKit's own ``status.json``, by dataset."""
    argv = [str(python_of(env_spec)), str(HAND), *env_spec.check[2:], "--", "--data", *datasets, "--model", "m"]
    options = {"base-url": url, "key": "K", "retry": 2, "temperature": 0, "max-tokens": 64, "api-nproc": 16}
    options |= {"judge": "exact_matching", "work-dir": folder / "out", "mode": "all", **arguments}
    for name, value in options.items():
        argv += [f"--{name}", str(value)]
    env = {"LMUData": str(tables), "PRED_FORMAT": "tsv", "HOME": str(folder), "PATH": os.environ["PATH"]}
    if judge_url:
        env |= {"OPENAI_API_BASE": f"{judge_url}/chat/completions", "OPENAI_API_KEY": "K", "LOCAL_LLM": "org/judge"}
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    status = json.loads((folder / "out" / "m" / "status.json").read_text())
    return dict(status["datasets"])
