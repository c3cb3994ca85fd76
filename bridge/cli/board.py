"""What a run looks like from outside at one moment: the state behind every display of progress."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bridge.progress import JobProgress, StageState

RATE_OVER_S = 10.0


@dataclass
class Stage:
    """Something that takes its time: an environment being built, a server starting."""

    started: float
    state: StageState
    text: str = ""
    ended: float | None = None


@dataclass
class Board:
    clock: Callable[[], float] = time.monotonic
    """Seconds."""
    stages: dict[str, Stage] = field(default_factory=dict)
    jobs: dict[str, JobProgress] = field(default_factory=dict)
    _counts: dict[str, deque[tuple[float, int]]] = field(default_factory=dict)
    """Per job, the time and the amount of work of the last seconds."""

    def take_stage(self, name: str, state: StageState, text: str) -> None:
        now = self.clock()
        stage = self.stages.get(name)
        if stage is None or (stage.ended is not None and state == "running"):
            stage = self.stages[name] = Stage(now, state)
        stage.state, stage.text = state, text or stage.text
        stage.ended = None if state == "running" else now

    def take_jobs(self, jobs: Sequence[JobProgress]) -> None:
        now = self.clock()
        for job in jobs:
            self.jobs[job.job] = job
            counts = self._counts.setdefault(job.job, deque())
            counts.append((now, work(job)[0]))
            while now - counts[0][0] > RATE_OVER_S:
                counts.popleft()

    def elapsed_s(self, stage: Stage) -> float:
        return (self.clock() if stage.ended is None else stage.ended) - stage.started

    def work_per_s(self, job: str) -> float:
        counts = self._counts[job]
        (since, first), (until, last) = counts[0], counts[-1]
        return (last - first) / (until - since) if until > since else 0.0


def work(job: JobProgress) -> tuple[int, str]:
    """How much a job has done, and of what: the gateway counts requests, a job that needs none counts its samples."""
    return (job.requests, "requests") if job.requests else (job.done, "samples")


def duration(seconds: float) -> str:
    """``7 s``, ``3:07`` (minutes), ``2:03:07``."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
