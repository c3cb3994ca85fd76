"""``options.longbench_write``, and the job file that ``translate`` writes and ``inside`` reads."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bridge.adapters.asking.options import Options
from bridge.spec import JsonObject

MAX_TOKENS = 32768
"""The paper's limit of an answer."""
ANSWERS, LENGTHS, JUDGMENTS = "answers.jsonl", "lengths.jsonl", "judgments.jsonl"
"""The journals of the three stages, which a job started again goes on from."""
Stage = Literal["infer", "length", "quality"]


class JudgeOptions(Options):
    """How the judge is asked."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.5
    """As in the paper."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Limit of a judgment in tokens, as in the paper."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    """How often a judge whose answer cannot be read is asked in all, as in the paper; then it is an error."""
    extra_body: JsonObject = Field(default_factory=dict)
    """Further fields of the judge's requests, verbatim."""


class WriteOptions(Options):
    stages: tuple[Stage, ...] | None = None
    """What is scored: `length`, `quality` or both. Default: both, or `length` alone where the spec names no judge."""
    judge_prompt: str | None = None
    """File with a judge prompt of your own; `$INST$` and `$RESPONSE$` in it stand for the task and the text."""
    judge: JudgeOptions = JudgeOptions()
    """How the judge is asked."""


class Judging(BaseModel):
    """The part of a job that is about the judge."""

    model_config = ConfigDict(frozen=True)

    model: str
    request: JsonObject
    """Fields of every request to it, but for ``model`` and ``messages``."""
    attempts: int
    prompt: str | None
    """File of the user's own prompt; None: the one of this package."""


class WriteJob(BaseModel):
    """``job.json``: one dataset, to be written and scored."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    """Its name in the report."""
    path: str
    """Its file."""
    limit: int | None
    repeats: int
    concurrency: int
    model: str
    request: JsonObject
    """Fields of every request to the model, but for ``model`` and ``messages``."""
    stages: tuple[Stage, ...]
    judging: Judging | None
