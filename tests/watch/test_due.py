"""Which checkpoints are due."""

from __future__ import annotations

from pathlib import Path

from finetuned.trainings import age, make_training

from bridge.finetuned.training import read_training
from bridge.watch.due import Wanted, due


def steps(run: Path, wanted: Wanted, done: tuple[str, ...] = (), *, over: bool = False) -> list[int]:
    return [one.step for one in due(read_training(run), wanted, done, over=over)]


def make(tmp_path: Path, *at: int) -> Path:
    run = make_training(tmp_path / "out", knows=dict.fromkeys(at, 0))
    for step in at:
        age(run / f"checkpoint-{step}", 60)
    return run


def test_each_once_and_in_order(tmp_path: Path) -> None:
    run = make(tmp_path, 10, 20, 100)
    assert steps(run, Wanted()) == [10, 20, 100]
    assert steps(run, Wanted(), ("checkpoint-10", "checkpoint-100")) == [20]


def test_one_in_which_something_is_being_written_is_not_due_yet(tmp_path: Path) -> None:
    run = make(tmp_path, 10, 20)
    age(run / "checkpoint-20", 0)
    assert steps(run, Wanted()) == [10]
    assert steps(run, Wanted(), over=True) == [10, 20]


def test_every_second_and_the_last(tmp_path: Path) -> None:
    run = make(tmp_path, 10, 20, 30, 40, 50)
    assert steps(run, Wanted(every=2)) == [20, 40]
    assert steps(run, Wanted(every=2), ("checkpoint-20",), over=True) == [40, 50]


def test_every_second_where_the_first_were_deleted(tmp_path: Path) -> None:
    assert steps(make(tmp_path, 30, 40, 50), Wanted(every=2)) == [40]


def test_only_the_last_when_it_is_over(tmp_path: Path) -> None:
    run = make(tmp_path, 10, 20)
    assert steps(run, Wanted(only_last=True)) == []
    assert steps(run, Wanted(only_last=True), over=True) == [20]
    assert steps(run, Wanted(only_last=True), ("checkpoint-20",), over=True) == []
