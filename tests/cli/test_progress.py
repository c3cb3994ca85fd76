"""Progress in a terminal and in a log file, against a clock that the test sets."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO

import pytest
from rich.console import Console

from bridge.cli.board import Board, duration
from bridge.cli.progress import LINE_EVERY_S, Lines, Live
from bridge.progress import JobProgress, Watcher


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def lines(clock: Clock) -> tuple[Lines, list[str]]:
    said: list[str] = []
    return Lines(said.append, Board(clock)), said


def test_lines_say_what_begins_and_ends_and_little_between() -> None:
    clock = Clock()
    watcher, said = lines(clock)
    watcher.stage("environment opencompass", "running")
    for second in range(12):
        clock.now += 1
        watcher.stage("environment opencompass", "running", f"package {second}")
    watcher.stage("environment opencompass", "done")
    assert said == [
        "environment opencompass: starts",
        "environment opencompass: package 4 (5 s)",
        "environment opencompass: package 9 (10 s)",
        "environment opencompass: done (12 s)",
    ]


def test_lines_of_jobs() -> None:
    clock = Clock()
    watcher, said = lines(clock)
    watcher.jobs([JobProgress("native", "waiting"), JobProgress("oc", "running", total=None)])
    clock.now += LINE_EVERY_S
    watcher.jobs([JobProgress("oc", "running", total=None)])
    for done in range(1, 101):
        clock.now += 0.1
        watcher.jobs([JobProgress("native", "running", done, 200, "infer", requests=done, failed=done // 50)])
    watcher.jobs([JobProgress("oc", "done", 200, 200, requests=200, cached=3), JobProgress("native", "done", 200, 200)])
    assert said == [
        "oc: starts",
        "oc: at work",
        "native: infer, 1/200 samples, 0.2 requests/s",
        "native: infer, 52/200 samples, 10.0 requests/s, 1 not answered",
        "oc: done, 200/200 samples, 200 requests, 3 from the cache",
        "native: done, 200/200 samples",
    ]
    assert clock.now - 100 < 4 * LINE_EVERY_S


def test_a_stage_that_starts_again_counts_from_there() -> None:
    clock = Clock()
    board = Board(clock)
    board.take_stage("model", "running", "loading")
    clock.now += 50
    board.take_stage("model", "failed", "")
    assert board.elapsed_s(board.stages["model"]) == 50
    assert board.stages["model"].text == "loading"
    clock.now += 50
    board.take_stage("model", "running", "")
    clock.now += 1
    assert board.elapsed_s(board.stages["model"]) == 1


def test_the_rate_is_of_the_last_seconds() -> None:
    clock = Clock()
    board = Board(clock)
    for second in range(100):
        clock.now = second
        requests = min(second, 50) * 10
        board.take_jobs([JobProgress("a", "running", requests=requests)])
    assert board.work_per_s("a") == 0


def test_the_display_of_a_terminal() -> None:
    clock = Clock()
    out = StringIO()
    console = Console(file=out, width=110, force_terminal=True, color_system=None)
    display = Live(console, Board(clock))
    display.stage("environment opencompass", "running", "Downloading torch \x1b[31m[/red] (200 MB)")
    display.stage("model m", "done", "http://127.0.0.1:1/v1")
    clock.now += 63
    display.jobs([JobProgress("native", "running", 50, 200, "infer", requests=60, failed=2)])
    console.print(display.render())
    text = out.getvalue()
    assert "… environment opencompass 1:03 Downloading torch \\x1b[31m[/red] (200 MB)" in text
    assert "✓ model m" in text
    assert "infer, 50/200 samples" in text
    assert "2 not answered" in text
    assert "\x1b[31m" not in text


def test_the_display_runs_and_ends() -> None:
    out = StringIO()
    with Live.on(Console(file=out, width=80, force_terminal=True)) as display:
        watcher: Watcher = display
        watcher.note("a [bold]note")
        for number in range(50):
            watcher.jobs([JobProgress(f"job {number}", "running", number, None)])
        watcher.jobs([JobProgress("job 0", "done", 3, 3)])
    assert "a [bold]note" in out.getvalue()
    assert "job 0" in out.getvalue()


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0 s"), (59.9, "59 s"), (60, "1:00"), (3725, "1:02:05")])
def test_duration(seconds: float, said: str) -> None:
    assert duration(seconds) == said
