from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from bridge.backend import BenchmarkResult, Endpoint, Job, Outcome, Task
from bridge.native.backend import NativeBackend
from bridge.native.whole import read_whole
from bridge.spec import TaskSpec

SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def rows() -> Callable[[str], Path]:
    """The folder of a benchmark's real rows; the test is skipped where they are not beside the repository."""

    def folder(name: str) -> Path:
        found = Path(os.environ.get("BRIDGE_DATA") or SHARED_DATA) / name
        if not found.exists():
            pytest.skip(f"needs real rows of {name} beside the repository, or in BRIDGE_DATA")
        return found

    return folder


def a_task(*datasets: str | dict[str, Any], base_url: str = "http://127.0.0.1:9/v1", **spec: Any) -> Task:
    """A task of one model for the native backend."""
    given = {"model": {"name": "m", "endpoint": {"base_url": base_url}}, "datasets": list(datasets), **spec}
    parsed = TaskSpec.model_validate(given)
    assert parsed.model is not None
    return Task(parsed, parsed.model, parsed.datasets, parsed.concurrency)


@pytest.fixture
def task() -> Callable[..., Task]:
    return a_task


@dataclass
class NativeRun:
    """One native job in a run folder, started as the pipeline starts it: as a process of its own."""

    root: Path
    backend: NativeBackend = field(default_factory=NativeBackend)

    @property
    def folder(self) -> Path:
        return self.root / "jobs" / "native"

    def prepare(self, task: Task, base_url: str) -> Job:
        (job,) = self.backend.translate(task, Endpoint(base_url, task.model.name))
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in job.files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        return job

    async def start(self, task: Task, base_url: str, *under: str) -> asyncio.subprocess.Process:
        """``under``: a program that starts it, with its arguments."""
        job = self.prepare(task, base_url)
        env = {**os.environ, **job.env, "PYTHONSAFEPATH": "1"}
        with (self.root / "log.txt").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *under, sys.executable, *job.argv[1:], cwd=self.folder, env=env, stdout=log, stderr=log
            )

    async def run(self, task: Task, base_url: str) -> int:
        process = await self.start(task, base_url)
        return await asyncio.wait_for(process.wait(), 60)

    def collect(self, task: Task, exit_code: int | None = 0, **outcome: Any) -> list[BenchmarkResult]:
        base = {"job": "native", "backend": "native", "model": task.model.name, "dir": self.folder}
        return self.backend.collect(Outcome(**base, exit_code=exit_code, **outcome), task)

    def records(self, dataset: str) -> list[dict[str, Any]]:
        lines = (self.folder / "samples" / f"{dataset}.jsonl").read_bytes().splitlines()
        return [orjson.loads(line) for line in lines]

    def state(self) -> dict[str, Any]:
        return read_whole(self.folder / "state.json")

    def progress(self) -> dict[str, Any]:
        return read_whole(self.folder / "progress.json")

    async def until_done(self, count: int, process: asyncio.subprocess.Process) -> None:
        """Waits until so many records are written."""
        files = self.folder / "samples"
        while sum(path.read_bytes().count(b"\n") for path in files.glob("*.jsonl")) < count:
            assert process.returncode is None, (self.root / "log.txt").read_text()
            await asyncio.sleep(0.01)


@pytest.fixture
def native_run(tmp_path: Path) -> NativeRun:
    run = NativeRun(tmp_path / "run")
    run.root.mkdir()
    return run


@pytest.fixture
def write_jsonl() -> Callable[[Path, list[Any]], Path]:
    def write(path: Path, values: list[Any]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values), encoding="utf-8")
        return path

    return write


@pytest.fixture
def mcq(tmp_path: Path, write_jsonl: Callable[[Path, list[Any]], Path]) -> Callable[..., Path]:
    """A folder with questions for general_mcq, all with the answer B."""

    def write(count: int, name: str = "bank", folder: str = "mcq") -> Path:
        values = [
            {"question": f"Which is number {at} of {name}?", "A": "one", "B": "two", "C": "three", "answer": "B"}
            for at in range(count)
        ]
        return write_jsonl(tmp_path / folder / f"{name}_val.jsonl", values).parent

    return write
