"""The backend ``vlmevalkit``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from bridge.adapters.vlmevalkit import catalogue
from bridge.adapters.vlmevalkit.environments import FULL as FULL_ENV
from bridge.adapters.vlmevalkit.environments import LEAN, WITH_TORCH
from bridge.adapters.vlmevalkit.names import BACKEND
from bridge.backend import (
    FULL,
    BenchmarkResult,
    DatasetInfo,
    Endpoint,
    EnvSpec,
    Feature,
    Gap,
    Job,
    Level,
    Outcome,
    Support,
    Task,
)
from bridge.errors import Problem

_SUPPORT: Support = {
    **dict.fromkeys(Feature, FULL),
    Feature.PROMPT: Gap(Level.NEVER, "it asks in its own words"),
    Feature.DEFINITION: Gap(Level.NEVER, "only native takes datasets from a file"),
    Feature.JUDGES: Gap(Level.NOT_YET, "it takes one judge; give it as 'judge'"),
    Feature.JUDGE_GENERATION: Gap(Level.NEVER, "VLMEvalKit asks its judge in its own way"),
    Feature.JUDGING: Gap(Level.NEVER, "what its judge is asked is its own"),
    Feature.SCORING: Gap(Level.NEVER, "it scores texts that the model writes"),
    Feature.LOCAL: Gap(Level.PARTIAL, "models that VLMEvalKit runs itself, by local.name"),
    Feature.PATH: Gap(Level.PARTIAL, "a table (.tsv), a folder of tables, or images/ and one .jsonl"),
    Feature.SUBSETS: Gap(Level.FULL, "values of the columns 'category' and 'l2-category'"),
    Feature.SPLIT: Gap(Level.FULL, "a value of the column 'split'"),
    Feature.NUM_FEWSHOT: Gap(Level.PARTIAL, "VLMEvalKit's questions have no worked examples: only 0"),
    Feature.LIMIT: Gap(Level.FULL, "of rotated questions the first groups; else rows, up to the end of a group"),
    Feature.MAX_TOKENS: Gap(Level.FULL, "without it none is sent, and the server's own limit holds"),
    Feature.JUDGE: Gap(Level.FULL, "without one exact matching scores, and datasets that need one are refused"),
}


class VLMEvalKitBackend:
    name = BACKEND
    env: EnvSpec = LEAN
    further_envs: tuple[EnvSpec, ...] = (FULL_ENV, WITH_TORCH)
    route: Literal["gateway", "direct"] = "gateway"
    on_failed_request: Literal["error", "placeholder"] = "error"
    support: Support = _SUPPORT

    def datasets(self) -> Mapping[str, DatasetInfo]:
        return catalogue.infos()

    def resolve(self, name: str) -> DatasetInfo | None:
        return catalogue.info_of(name)

    def models(self) -> Iterator[tuple[str, tuple[str, str]]]:
        from bridge.adapters.vlmevalkit.local import models

        for name, known in models().items():
            yield name, (known["class"], known["weights"])

    def check(self, task: Task) -> list[Problem]:
        from bridge.adapters.vlmevalkit import check

        return check.problems(task)

    def translate(self, task: Task, endpoint: Endpoint) -> list[Job]:
        from bridge.adapters.vlmevalkit import translate

        return translate.jobs(task, endpoint)

    def collect(self, outcome: Outcome, task: Task) -> list[BenchmarkResult]:
        from bridge.adapters.vlmevalkit import collect

        return [collect.result(outcome, task, dataset) for dataset in task.datasets]
