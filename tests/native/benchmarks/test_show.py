"""On real rows: right answers score 1, shuffled ones what chance gives, and empty ones are counted as empty."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer
from real_rows import FOLDERS, FORMS, REAL, samples, verdict

from bridge.backend import Task
from bridge.native.benchmarks import benchmark
from bridge.native.preview import preview
from bridge.report.schema import Status

NAMES = [*REAL, "llmbar"]
CHOICE = [name for name in REAL if benchmark(name).scorer.name == "multiple_choice"]
Z_999 = 3.2905
"""Of a two-sided interval of 99.9 %."""
LIMIT = 3
"""Of each subset."""


@pytest.mark.parametrize("name", CHOICE)
def test_shuffled_answers_score_what_chance_gives(name: str, rows: Callable[[str], Path]) -> None:
    """Every question gets the right answer of another one with as many options."""
    right, expected, variance = scored(name, rows(FOLDERS.get(name, name)), "shuffled")
    assert abs(right - expected) <= Z_999 * sqrt(variance) + 0.5, f"{right} right, {expected:.1f} expected"


def test_over_all_multiple_choice_too(rows: Callable[[str], Path]) -> None:
    """Letters drawn blindly: over some 8,000 questions, a scorer that leans to a letter would show."""
    assert len(CHOICE) >= 8
    found = [scored(name, rows(FOLDERS.get(name, name)), "drawn") for name in CHOICE]
    right, expected, variance = (sum(parts) for parts in zip(*found, strict=True))
    assert abs(right - expected) <= Z_999 * sqrt(variance) + 0.5, f"{right} right, {expected:.1f} expected"
    assert expected > 2000


def scored(name: str, folder: Path, how: str) -> tuple[int, float, float]:
    """Right answers, how many are to be expected, and the variance of that."""
    mark = benchmark(name)
    draw = random.Random(f"{how}:{name}")
    groups: dict[int, list[Any]] = {}
    for sample in samples(mark, folder):
        groups.setdefault(len(sample.choices), []).append(sample)
    right, expected, variance = 0, 0.0, 0.0
    for count, group in groups.items():
        targets = [sample.target for sample in group]
        shares = [number / len(group) for number in Counter(targets).values()]
        chance = 1 / count if how == "drawn" else sum(share**2 for share in shares)
        said = draw.choices([*group[0].choices], k=len(group)) if how == "drawn" else draw.sample(targets, len(targets))
        answers = zip(said, group, strict=True)
        right += sum(int(verdict(mark, f"So.\nANSWER: {letter}", one).scores["accuracy"]) for letter, one in answers)
        expected += len(group) * chance
        variance += len(group) * chance * (1 - chance)
    return right, expected, variance


@pytest.fixture
def everything(task: Callable[..., Task], rows: Callable[[str], Path]) -> Task:
    datasets = [{"name": name, "path": str(rows(FOLDERS.get(name, name)))} for name in NAMES]
    return task(*datasets, limit=LIMIT, concurrency=64)


async def test_right_answers_score_one_from_end_to_end(native_run: Any, everything: Task) -> None:
    right = dict(asked_and_right(everything))
    async with FaultServer(answer=lambda prompt: right[prompt]) as server:
        assert await native_run.run(everything, server.base_url) == 0
    for result in native_run.collect(everything):
        (primary,) = [row for row in result.rows if row.primary]
        assert (primary.value, primary.n_errors, primary.status) == (1.0, 0, Status.COMPLETE), result.dataset
        assert not [row for row in result.rows if row.metric.startswith("answers_")], result.dataset


async def test_empty_answers_are_counted_as_empty(native_run: Any, everything: Task) -> None:
    async with FaultServer(answer=lambda prompt: "  \n") as server:
        assert await native_run.run(everything, server.base_url) == 0
    for result in native_run.collect(everything):
        (primary,) = [row for row in result.rows if row.primary]
        counted = {row.metric: (row.value, row.n) for row in result.rows if row.metric.startswith("answers_")}
        assert primary.value == 0.0, result.dataset
        assert counted == {"answers_empty": (primary.n, primary.n)}, result.dataset
        assert all(sample.extracted is None for sample in result.samples)


def asked_and_right(given: Task) -> Iterator[tuple[str, str]]:
    """What is sent for each sample, and an answer to it that is right."""
    for dataset in given.datasets:
        form = "[[{}]]" if dataset.name == "llmbar" else FORMS.get(dataset.name, "I think so.\nANSWER: {}")
        one = Task(given.spec, given.model, (dataset,), given.concurrency)
        for shown in preview(one):
            target = shown.target
            if isinstance(target, list):
                target = ", ".join(target) if dataset.name == "truthful_qa_mc2" else target[0]
            yield dict(shown.request)["messages"][-1]["content"], form.format(target)
