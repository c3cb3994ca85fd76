"""The backend ``longbench_write``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from bridge.adapters.longbench_write.names import BACKEND, FILES
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

_ROWS = {"longbench_write": "120 tasks, half Chinese", "longbench_write_en": "60 tasks", "longwrite_ruler": "48 tasks"}
_ABOUT = {
    "longbench_write": "Writing of 100 to 20,000 words on request: how near the length is, how good the text",
    "longbench_write_en": "The English half of LongBench-Write",
    "longwrite_ruler": "How long a text the model can write at all: the same 8 requests at 1,000 to 30,000 words",
}
_SUPPORT: Support = {
    **dict.fromkeys(Feature, FULL),
    Feature.PROMPT: Gap(Level.NEVER, "it asks in its own words"),
    Feature.DEFINITION: Gap(Level.NEVER, "only native takes datasets from a file"),
    Feature.JUDGES: Gap(Level.NOT_YET, "it takes one judge; give it as 'judge'"),
    Feature.JUDGE_GENERATION: Gap(Level.NEVER, "options.longbench_write.judge has its settings"),
    Feature.JUDGING: Gap(Level.NEVER, "what its judge is asked is its own"),
    Feature.SCORING: Gap(Level.NEVER, "it scores texts that the model writes"),
    Feature.LOCAL: Gap(Level.NEVER, "it asks models over an API: take model.deploy"),
    Feature.SUBSETS: Gap(Level.NEVER, "its tasks are in no subsets; scores by length, type and language are rows"),
    Feature.SPLIT: Gap(Level.NEVER, "it has one split"),
    Feature.NUM_FEWSHOT: Gap(Level.NEVER, "a task is asked as it stands, without worked examples"),
    Feature.JUDGE: Gap(Level.FULL, "without one only the length is scored"),
    Feature.OPTIONS: Gap(Level.PARTIAL, "what is about the judge needs one in the spec"),
}


class LongBenchWriteBackend:
    name = BACKEND
    env = EnvSpec("bridge")
    route: Literal["gateway", "direct"] = "gateway"
    on_failed_request: Literal["error", "placeholder"] = "error"
    support: Support = _SUPPORT

    def datasets(self) -> Mapping[str, DatasetInfo]:
        return {
            name: DatasetInfo(
                name,
                BACKEND,
                description=f"{_ABOUT[name]} ({_ROWS[name]})",
                family="LongBench-Write",
                evaluator="length formula and judge",
                data=file,
                metric="overall",
            )
            for name, file in FILES.items()
        }

    def resolve(self, name: str) -> DatasetInfo | None:
        return self.datasets().get(name)

    def check(self, task: Task) -> list[Problem]:
        from bridge.adapters.longbench_write.translate import problems

        return problems(task)

    def translate(self, task: Task, endpoint: Endpoint) -> list[Job]:
        from bridge.adapters.longbench_write.translate import jobs

        return jobs(task, endpoint, self.env)

    def collect(self, outcome: Outcome, task: Task) -> list[BenchmarkResult]:
        from bridge.adapters.longbench_write.collect import result

        return [result(outcome, task, dataset) for dataset in task.datasets]
