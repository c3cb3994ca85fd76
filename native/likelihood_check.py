"""What cannot be scored by likelihood, and what cannot be scored otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bridge.backend import Task, place_of
from bridge.errors import Problem
from bridge.native.benchmark import Benchmark
from bridge.native.benchmarks import NAMES, benchmark

if TYPE_CHECKING:
    from bridge.spec import DatasetSpec


def likelihood_problems(task: Task, at: str, dataset: DatasetSpec, mark: Benchmark) -> Iterator[Problem]:
    """``scoring`` and ``model.local`` of one dataset."""
    if dataset.scoring == "loglikelihood":
        yield from _problems(at, dataset, mark)
    elif task.model.local is not None:
        message = f"{place_of(task)}.local writes no text: {mark.name} is scored by what a model writes"
        hint = "set scoring: loglikelihood" if mark.likelihood else "serve the weights: model.deploy"
        yield Problem("", f"{at}.scoring", message, hint)
    if task.model.local is not None and task.model.local.path is None:
        yield Problem("", f"{place_of(task)}.local.path", "native needs a folder of weights", "'name' is VLMEvalKit's")


def _problems(at: str, dataset: DatasetSpec, mark: Benchmark) -> Iterator[Problem]:
    if mark.likelihood is None:
        names = ", ".join(name for name in NAMES if benchmark(name).likelihood)
        yield Problem("", f"{at}.scoring", f"{mark.name} is not scored by likelihood", f"these are: {names}")
    if dataset.generation is not None:
        message = "nothing is written where likelihoods are scored"
        yield Problem("", f"{at}.generation", message, "take it out, or set scoring: generation")
    if (dataset.repeats or 1) > 1:
        yield Problem("", f"{at}.repeats", "a likelihood is the same each time", "take it out")
    if dataset.prompt is not None and dataset.prompt.system is not None:
        message = "a text whose likelihood is scored has no system prompt"
        yield Problem("", f"{at}.prompt.system", message, "put it into prompt.template")
