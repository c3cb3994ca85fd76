"""``options.toolbench``, and the job files that ``translate`` writes and ``inside`` reads."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bridge.adapters.asking.options import Options
from bridge.adapters.toolbench.evalscope import Compat
from bridge.adapters.toolbench.names import PASS_RATE, STATIC, WIN_RATE
from bridge.adapters.toolbench.prompts import Style
from bridge.spec import JsonObject

MAX_TOKENS = 2048
"""Limit of a step in tokens."""
HUB_VARIABLES = ("MODELSCOPE_API_TOKEN", "MODELSCOPE_CACHE", "MODELSCOPE_DOMAIN")
"""What the hub's library heeds, and a job does not get by itself."""

ANSWERS, SCORES = "answers.jsonl", "scores.jsonl"
"""Journals of ToolBench-Static."""
VOTES, REFERENCE_VOTES, PREFERENCES = "votes.jsonl", "reference_votes.jsonl", "preferences.jsonl"
"""Journals of ToolEval: is it solved, by the model and by the reference; which one is better."""
KEEP = {
    STATIC: (ANSWERS, SCORES),
    PASS_RATE: (VOTES,),
    WIN_RATE: (VOTES, REFERENCE_VOTES, PREFERENCES),
}


class JudgeOptions(Options):
    """How the judge is asked."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.2
    """As in ToolEval."""
    max_tokens: Annotated[int, Field(ge=1)] = 1000
    """Limit of a judgment in tokens, as in ToolEval."""
    votes: Annotated[int, Field(ge=1, le=99)] = 4
    """How often the judge is asked about each answer, as in ToolEval; the majority decides."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """How often a judge whose answer cannot be read is asked in all, as in ToolEval; then it is an error."""
    extra_body: JsonObject = Field(default_factory=dict)
    """Further fields of the judge's requests, verbatim."""


class ToolOptions(Options):
    style: Style = "react"
    """How the model is to call tools: `react` as text (Thought, Action, Action Input), `tools` by its native calls."""
    compat: Compat | None = None
    """Score as EvalScope does: `evalscope` as its third-party tool, `evalscope_native` as its own benchmark."""
    answers: str | None = None
    """`toolbench_pass_rate`, `toolbench_win_rate`: name of the model's folder among the answers. Default: its name."""
    reference: str | None = None
    """`toolbench_win_rate`: folder with the answers that the model's are compared with."""
    judge: JudgeOptions = JudgeOptions()
    """How the judge is asked."""


class _JobFile(BaseModel):
    model_config = ConfigDict(frozen=True)

    dataset: str
    """Its name in the report."""
    limit: int | None
    """Of each subset."""
    concurrency: int


class StaticJob(_JobFile):
    """Steps to be asked and scored."""

    kind: Literal["toolbench_static"] = "toolbench_static"
    path: str | None
    """None: from the hub."""
    subsets: tuple[str, ...]
    """Empty: all that there are."""
    repeats: int
    model: str
    request: JsonObject
    """Fields of every request, but for ``model``, ``messages`` and ``tools``."""
    style: Style
    compat: Compat | None


class EvalJob(_JobFile):
    """Answers to be judged."""

    kind: Literal["toolbench_pass_rate", "toolbench_win_rate"]
    path: str
    answers: str
    """Name of the model's folder, where the answers of several are there."""
    subsets: tuple[str, ...]
    reference: str | None
    judge: str
    request: JsonObject
    """Fields of every request to the judge, but for ``model`` and ``messages``."""
    votes: int
    attempts: int


class AnyJob(BaseModel):
    """``job.json``."""

    job: Annotated[StaticJob | EvalJob, Field(discriminator="kind")]
