"""Live progress on stderr: one display for all jobs in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.cli.board import Board, Stage, duration, work
from bridge.progress import JobProgress, Silent, StageState, Watcher
from bridge.report.text import one_line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

LINE_EVERY_S = 5.0
MARKS = {"waiting": "·", "running": "…", "done": "✓", "failed": "✗"}
STYLES = {"waiting": "dim", "running": "", "done": "green", "failed": "bold red"}


@contextmanager
def watching(quiet: bool) -> Iterator[Watcher]:
    """A watcher that suits where stderr goes."""
    if quiet:
        yield Silent()
    elif sys.stderr.isatty():
        from rich.console import Console

        with Live.on(Console(stderr=True)) as watcher:
            yield watcher
    else:
        yield Lines(lambda line: print(line, file=sys.stderr, flush=True))


@dataclass
class Lines:
    """For a log file: what begins and what ends, and in between one line every few seconds."""

    say: Callable[[str], None]
    board: Board = field(default_factory=Board)
    _said: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Per subject, when something was last said about it, and its state then."""

    def stage(self, name: str, state: StageState, text: str = "") -> None:
        self.board.take_stage(name, state, text)
        stage = self.board.stages[name]
        if self._is_due(name, state):
            took = "" if state == "running" and not stage.text else f" ({duration(self.board.elapsed_s(stage))})"
            word = stage.text if state == "running" and stage.text else {"running": "starts"}.get(state, state)
            self.say(f"{one_line(name)}: {one_line(word, 200)}{took}")

    def jobs(self, jobs: Sequence[JobProgress]) -> None:
        self.board.take_jobs(jobs)
        for job in jobs:
            is_new = f"job {job.job}" not in self._said
            if job.state != "waiting" and self._is_due(f"job {job.job}", job.state):
                told = counts(job, self.board.work_per_s(job.job)) or ("starts" if is_new else "at work")
                self.say(f"{one_line(job.job)}: {told}")

    def note(self, line: str) -> None:
        self.say(one_line(line, 1000))

    def _is_due(self, subject: str, state: str) -> bool:
        now = self.board.clock()
        when, before = self._said.get(subject, (float("-inf"), ""))
        due = state != before or (state == "running" and now - when >= LINE_EVERY_S)
        if due:
            self._said[subject] = (now, state)
        return due


def counts(job: JobProgress, work_per_s: float) -> str:
    """``infer, 120/200 samples, 35.2 requests/s, 2 not answered``"""
    running, (amount, unit) = job.state == "running", work(job)
    rate = f"{work_per_s:.1f} {unit}/s" if amount else ""
    total = "" if job.total is None else f"/{job.total:,}"
    parts = [
        one_line(job.stage, 40) if running else job.state,
        f"{job.done:,}{total} samples" if job.done or total else "",
        rate if running else f"{job.requests:,} requests" if job.requests else "",
        f"{job.cached:,} from the cache" if job.cached else "",
        f"{job.failed:,} not answered" if job.failed else "",
    ]
    return ", ".join(filter(None, parts))


@dataclass
class Live:
    """For a terminal: stages as lines, jobs as bars, redrawn by a thread of rich's, a few times a second."""

    console: Console
    board: Board = field(default_factory=Board)

    @classmethod
    @contextmanager
    def on(cls, console: Console) -> Iterator[Live]:
        from rich import live

        display = cls(console)
        with live.Live(get_renderable=display.render, console=console, refresh_per_second=4):
            yield display

    def stage(self, name: str, state: StageState, text: str = "") -> None:
        self.board.take_stage(name, state, text)

    def jobs(self, jobs: Sequence[JobProgress]) -> None:
        self.board.take_jobs(jobs)

    def note(self, line: str) -> None:
        from rich.text import Text

        self.console.print(Text(one_line(line, 1000)))

    def render(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table

        stages = Table.grid(padding=(0, 1))
        for name, stage in list(self.board.stages.items()):
            stages.add_row(*self._stage(name, stage))
        jobs = Table.grid(padding=(0, 1))
        for job in list(self.board.jobs.values()):
            jobs.add_row(*self._job(job))
        return Group(*(table for table in (stages, jobs) if table.row_count))

    def _stage(self, name: str, stage: Stage) -> Iterator[RenderableType]:
        from rich.text import Text

        style = STYLES[stage.state]
        yield Text(MARKS[stage.state], style=style)
        yield Text(one_line(name, 40), style=style)
        yield Text(duration(self.board.elapsed_s(stage)), style="dim", justify="right")
        room = max(10, self.console.width - 60)
        yield Text(one_line(stage.text, room) if stage.state != "done" else "", style="dim", no_wrap=True)

    def _job(self, job: JobProgress) -> Iterator[RenderableType]:
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        yield Text(MARKS[job.state], style=STYLES[job.state])
        yield Text(one_line(job.job, 40), style="bold")
        yield ProgressBar(
            total=job.total, completed=job.done, width=24, pulse=job.total is None and job.state == "running"
        )
        style = "bold red" if job.failed else ""
        yield Text(counts(job, self.board.work_per_s(job.job)), style=style, overflow="ellipsis")
