"""Which jobs run in a sandbox, and what such a job sees there: the machine read-only, its own folder, the gateway.

    spec's ``sandbox``   runs nothing foreign   runs code of the data    runs code of the model
    null                 outside                inside, where possible   inside, or not at all
    true                 inside                 inside                   inside
    false                outside                outside                  not at all

``--unsafe`` on the command line turns "not at all" into "outside"; a spec cannot say it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import bridge
from bridge.backend import Job, Task
from bridge.errors import Problem
from bridge.sandbox import UNSAFE_ENV
from bridge.sandbox.room import Door, Limits, Room
from bridge.sandbox.trial import why_not
from bridge.spec import TaskSpec, expanded

Confinement = Literal["", "bubblewrap", "none"]
"""Of one job: none is needed; a sandbox; none, although it runs foreign code."""
PROCESSES = 4096
"""Of a whole job, threads included: enough for any framework, not for a bomb."""


def confinement(job: Job, task: Task) -> Confinement:
    wanted = task.spec.sandbox
    if job.runs == "nothing" and not wanted:
        return ""
    # A model that the framework loads itself needs the machine's devices, which no sandbox has.
    if wanted is False or task.model.local is not None or why_not():
        return "none"
    return "bubblewrap"


def problems(task: Task, jobs: Sequence[Job], *, unsafe: bool) -> Iterator[Problem]:
    """Why jobs of a task may not be started."""
    for job in jobs:
        may_not = task.spec.sandbox or (job.runs == "model output" and not unsafe)
        if may_not and confinement(job, task) == "none":
            yield from _refused(job, task)


def _refused(job: Job, task: Task) -> Iterator[Problem]:
    spec = task.spec
    if task.model.local is not None:
        why = "a model that the framework loads itself needs the machine's devices, which no sandbox has"
    else:
        why = "the spec says sandbox: false" if spec.sandbox is False else why_not()
    if spec.sandbox:
        yield Problem("", "sandbox", f"there is no sandbox here: {why}")
        return
    for id_ in job.confines or job.datasets:
        at = next(f"datasets[{at}]" for at, dataset in enumerate(spec.datasets) if dataset.id == id_)
        message = f"{job.backend} runs code that the model writes, and only in a sandbox: {why}"
        yield Problem("", at, message, "--unsafe on the command line runs it without one")


def room_of(job: Job, task: Task, folder: Path, python: Path, doors: tuple[Door, ...]) -> Room | None:
    """Where the job is to run; None: outside."""
    if job.confines or confinement(job, task) != "bubblewrap":
        return None
    return Room(
        "everything",
        readable=tuple(path for path in _read(job, task.spec, python) if path.exists()),
        writable=(folder,),
        cwd=folder,
        limits=Limits(processes=PROCESSES),
        doors=doors,
    )


def environment(job: Job, confined: Confinement) -> dict[str, str]:
    """What the job is told of it."""
    if confined == "none":
        return {UNSAFE_ENV: "1"} if job.confines else {}
    return {} if job.confines or not confined else {"TMPDIR": "/tmp"}


def _read(job: Job, spec: TaskSpec, python: Path) -> Iterator[Path]:
    """What the job reads outside its folder, in case that it lies where a sandbox shows nothing."""
    yield python.parent.parent
    yield Path(bridge.__file__).resolve().parent.parent
    yield from (Path(part).absolute() for part in job.argv if os.sep in part)
    if spec.data is not None:
        yield Path(expanded(spec.data)).absolute()
    for value in spec.options.get(job.backend, {}).values():
        if isinstance(value, str) and os.sep in value:
            yield Path(value).absolute()
    for dataset in spec.datasets:
        if (path := spec.path_of(dataset)) is not None:
            yield path.absolute()
