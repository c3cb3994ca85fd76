"""What the soak test asserts can fail: processes that leak are told, one that does not is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from watched import Watched

STEPS = 60
PROGRAM = """
import os, sys
kept = []
for line in sys.stdin:
    {step}
    print(flush=True)
"""


def watched_over(folder: Path, step: str) -> Watched:
    """A program that does ``step`` before each look at it."""
    steps = iter(range(1, 2 * STEPS))
    watched = Watched(folder, lambda: next(steps))
    argv = [sys.executable, "-c", PROGRAM.format(step=step)]
    with subprocess.Popen(argv, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        for _ in range(STEPS):
            process.stdin.write(b"\n")
            process.stdin.flush()
            process.stdout.readline()
            watched.look()
    return watched


@pytest.mark.parametrize(
    ("step", "leaks"),
    [
        ("bytes(1 << 20)", []),
        ("kept.append(bytearray(os.urandom(1 << 18)))", ["memory"]),
        ("kept.append(os.pipe())", ["open files"]),
    ],
)
def test_what_only_grows_is_told(tmp_path: Path, step: str, leaks: list[str]) -> None:
    watched = watched_over(tmp_path, step)
    assert [len(looks) for looks in watched.seen.values()] == [STEPS]
    assert [line.split(" ->")[0].rsplit(" ", 1)[0] for line in watched.leaks()] == leaks
    assert len(list(watched.lines())) == 1


def test_a_process_is_not_looked_at_while_nothing_is_done(tmp_path: Path) -> None:
    done = [1, 1, 2, 2, 2, 3]
    counts = iter(done)
    watched = Watched(tmp_path, lambda: next(counts))
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=tmp_path, stdin=subprocess.PIPE) as process:
        for _ in done:
            watched.look()
        assert [len(looks) for looks in watched.seen.values()] == [3]
        process.communicate(b"\n")


def test_nothing_is_said_about_what_was_hardly_seen(tmp_path: Path) -> None:
    watched = watched_over(tmp_path, "kept.append(os.pipe())")
    watched.seen = {pid: looks[:19] for pid, looks in watched.seen.items()}
    assert (list(watched.leaks()), list(watched.lines())) == ([], [])
