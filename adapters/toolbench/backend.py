"""The backend ``toolbench``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from bridge.adapters.toolbench.names import BACKEND, HUB_ID, PASS_RATE, STATIC, SUBSETS, WIN_RATE
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
    Feature.JUDGE_GENERATION: Gap(Level.NEVER, "options.toolbench.judge has its settings"),
    Feature.JUDGING: Gap(Level.NEVER, "what its judge is asked is its own"),
    Feature.SCORING: Gap(Level.NEVER, "it scores calls that the model writes"),
    Feature.LOCAL: Gap(Level.NEVER, "it asks models over an API: take model.deploy"),
    Feature.SPLIT: Gap(Level.NEVER, "it has one split; in_domain and out_of_domain are subsets"),
    Feature.NUM_FEWSHOT: Gap(Level.NEVER, "a step is asked as it stands, without worked examples"),
    Feature.REPEATS: Gap(Level.PARTIAL, f"{STATIC} only; the others ask the model nothing"),
    Feature.JUDGE: Gap(Level.PARTIAL, f"{PASS_RATE} and {WIN_RATE} need one, {STATIC} uses none"),
    Feature.OPTIONS: Gap(Level.PARTIAL, "each is about some of the datasets, and refused without them"),
}
_SETS = ("G1_instruction", "G1_category", "G1_tool", "G2_instruction", "G2_category", "G3_instruction")
_DATASETS = {
    STATIC: DatasetInfo(
        STATIC,
        BACKEND,
        description="Single steps of tool use against a reference: which tool, with what arguments, or how it ends",
        family="ToolBench",
        evaluator="comparison with the reference's step",
        data=HUB_ID,
        subsets=SUBSETS,
        metric="f1",
    ),
    PASS_RATE: DatasetInfo(
        PASS_RATE,
        BACKEND,
        description="ToolEval on answer files of ToolBench or StableToolBench: the share of queries that are solved",
        family="ToolBench",
        evaluator="judge, majority of votes",
        data="answer/<model>/<set>/<query>_<method>.json",
        subsets=_SETS,
        metric="pass_rate",
    ),
    WIN_RATE: DatasetInfo(
        WIN_RATE,
        BACKEND,
        description="ToolEval on answer files: how often the model's answer is better than a reference's",
        family="ToolBench",
        evaluator="judge, majority of votes",
        data="answer/<model>/<set>/<query>_<method>.json",
        subsets=_SETS,
        metric="win_rate",
    ),
}


class ToolBenchBackend:
    name = BACKEND
    env = EnvSpec("bridge")
    support: Support = _SUPPORT
    route: Literal["gateway", "direct"] = "gateway"
    on_failed_request: Literal["error", "placeholder"] = "error"

    def datasets(self) -> Mapping[str, DatasetInfo]:
        return _DATASETS

    def resolve(self, name: str) -> DatasetInfo | None:
        return _DATASETS.get(name)

    def check(self, task: Task) -> list[Problem]:
        from bridge.adapters.toolbench.translate import problems

        return problems(task)

    def translate(self, task: Task, endpoint: Endpoint) -> list[Job]:
        from bridge.adapters.toolbench.translate import jobs

        return jobs(task, endpoint, self.env)

    def collect(self, outcome: Outcome, task: Task) -> list[BenchmarkResult]:
        from bridge.adapters.toolbench.collect import result

        return [result(outcome, task, dataset) for dataset in task.datasets]
