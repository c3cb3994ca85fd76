"""OpenCompass 0.5.4 as a backend: unmodified, from its own configuration files, in its own environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Literal

from bridge.adapters.opencompass import catalog
from bridge.adapters.opencompass.catalog import NAME
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
from bridge.data_state import DataState
from bridge.errors import Problem

HERE = Path(__file__).resolve().parent


class OpenCompassBackend:
    name = NAME
    route: Literal["gateway", "direct"] = "gateway"
    on_failed_request: Literal["error", "placeholder"] = "placeholder"
    support: ClassVar[Support] = {
        Feature.PATH: FULL,
        Feature.SUBSETS: FULL,
        Feature.SPLIT: Gap(Level.PARTIAL, "where the benchmark's own files hold several; else the configuration's own"),
        Feature.NUM_FEWSHOT: Gap(Level.PARTIAL, "where the configuration takes a fixed list of examples"),
        Feature.LIMIT: FULL,
        Feature.REPEATS: Gap(Level.PARTIAL, "not where a configuration limits its own rows"),
        Feature.TEMPERATURE: FULL,
        Feature.MAX_TOKENS: FULL,
        Feature.TOP_P: FULL,
        Feature.TOP_K: Gap(Level.FULL, "sent as a further field of the request"),
        Feature.SEED: FULL,
        Feature.STOP: FULL,
        Feature.EXTRA_BODY: FULL,
        Feature.JUDGE: Gap(Level.PARTIAL, "for datasets whose evaluator asks one; the others do without"),
        Feature.JUDGES: Gap(Level.NEVER, "its evaluators ask one judge; give it as 'judge'"),
        Feature.JUDGE_GENERATION: FULL,
        Feature.JUDGING: Gap(Level.NEVER, "what the judge is asked is part of the configuration"),
        Feature.PROMPT: Gap(Level.NEVER, "the prompt is part of the configuration; name another one"),
        Feature.DEFINITION: Gap(Level.NEVER, "only native takes datasets from a file"),
        Feature.SCORING: Gap(Level.NEVER, "its own configurations say how they are scored: native takes this"),
        Feature.LOCAL: Gap(Level.NEVER, "it asks models over an API: take model.deploy"),
        Feature.SANDBOX: FULL,
        Feature.OPTIONS: Gap(Level.PARTIAL, "data: OpenCompass's data folder; model: further arguments of OpenAISDK"),
    }

    @property
    def env(self) -> EnvSpec:
        check = (str(HERE / "inside.py"), "--check")
        return EnvSpec(NAME, HERE / "env.lock", python="3.11", check=check, version=catalog.version())

    def datasets(self) -> Mapping[str, DatasetInfo]:
        return catalog.datasets()

    def resolve(self, name: str) -> DatasetInfo | None:
        found = catalog.resolve(name.removeprefix(f"{NAME}:"))
        return found.info if found else None

    def check(self, task: Task) -> list[Problem]:
        from bridge.adapters.opencompass.check import missing_files, static_problems

        return [*static_problems(task), *missing_files(task)]

    def configurations(self) -> Mapping[str, DatasetInfo]:
        return catalog.configurations()

    def data_states(self, task: Task) -> Iterator[DataState]:
        from bridge.adapters.opencompass.data_files import data_states

        return data_states(task)

    def translate(self, task: Task, endpoint: Endpoint) -> list[Job]:
        from bridge.adapters.opencompass.translate import translate

        return translate(task, endpoint, self.env)

    def collect(self, outcome: Outcome, task: Task) -> list[BenchmarkResult]:
        from bridge.adapters.opencompass.collect import collect

        return collect(outcome, task, self.env)
