"""The report: what ``report.json`` and ``samples/*.jsonl`` hold.  ``bridge schema report`` prints its JSON schema.

Rates are fractions from 0 to 1. A missing value is ``null`` and has a ``reason``. A request that was not answered is
counted in ``n_errors`` and is part of no score.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bridge.report.arena_schema import ArenaReport


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        defer_build=True,
        json_schema_serialization_defaults_required=True,
    )


class Status(StrEnum):
    """Of a run, or of one row."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"


class ErrorKind(StrEnum):
    """What went wrong, by the stage that noticed it; decides the exit code."""

    ENV = "env"
    SERVE = "serve"
    BACKEND = "backend"
    OUTPUT = "output"
    UNANSWERED = "unanswered"
    INTERRUPTED = "interrupted"
    WARNING = "warning"
    """Nothing is missing, but a reader should know; leaves the status as it is."""


EXIT_CODES = {
    ErrorKind.INTERRUPTED: 130,
    ErrorKind.ENV: 3,
    ErrorKind.SERVE: 4,
    ErrorKind.BACKEND: 5,
    ErrorKind.OUTPUT: 6,
    ErrorKind.UNANSWERED: 7,
    ErrorKind.WARNING: 0,
}
"""Exit code by kind, most telling first: a run with several kinds ends with the first of them."""


class ReportError(_Part):
    """One kind of failure, counted."""

    kind: ErrorKind
    message: str
    """What happened, where, in one line."""
    hint: str = ""
    """What to do about it."""
    count: int = 1
    model: str | None = None
    backend: str | None = None
    dataset: str | None = None


class ResultRow(_Part):
    """One metric of one dataset (or of one of its subsets) with one model through one backend."""

    model: str
    backend: str
    backend_version: str
    env_lock_sha256: str | None = None
    """Hash of the lock file of the backend's environment; null for native, which runs in bridge's own."""
    dataset: str
    """The dataset's name in the spec, or its alias."""
    subset: str | None = None
    """Null: over all subsets."""
    category: str | None = None
    """The group of subsets that the row stands for (then ``subset`` is null), or that its subset is in."""
    split: str | None = None
    metric: str
    value: float | None
    unit: Literal["fraction", "rating", "count", "seconds", "tokens", "points", "per_second"] = "fraction"
    min_value: float | None = 0.0
    max_value: float | None = 1.0
    higher_is_better: bool = True
    primary: bool = False
    """Exactly one row of a model × backend × dataset is: the overall value that is quoted."""
    n: int
    """Sample records that are in the value; a sample that was asked three times counts three times."""
    n_errors: int = 0
    """Samples that should be and are not: never asked, not answered, or not scored."""
    stderr: float | None = None
    """Standard error of ``value``; null where there is no such thing."""
    ci95: tuple[float, float] | None = None
    """95 % interval of ``value``; null where there is no such thing."""
    num_fewshot: int | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    """What changes the score and is not in another field: limit, generation, template, extraction."""
    status: Status = Status.COMPLETE
    reason: str | None = None
    """Why the value is null, or the row is not complete."""
    samples: str | None = None
    """Path of the per-sample records, relative to the run directory."""
    source: str | None = None
    """File and key in the framework's own output, relative to the run directory."""


class SampleRecord(_Part):
    """One line of ``samples/<backend>/<dataset>.jsonl``: one sample, asked once."""

    model: str
    dataset: str
    subset: str | None = None
    sample_id: str
    """Stable over runs: the dataset's own id, else the row's number within its subset."""
    repeat: int = 0
    input: str | list[dict[str, Any]]
    """The text, or the messages, that were sent."""
    prompt_sha256: str | None = None
    """Hash of what was sent, for pairing runs and frameworks."""
    target: Any = None
    response: str | None
    """The model's answer as it came; null where there is none."""
    extracted: Any = None
    """What the scorer read out of the response; null where it found nothing."""
    scores: dict[str, float] = Field(default_factory=dict)
    """Metric → score of this sample; empty where the sample was not scored."""
    error: str | None = None
    """Why there is no answer or no score."""
    usage: dict[str, int] | None = None
    """``prompt_tokens`` and ``completion_tokens``, where the server says."""
    latency_s: float | None = None
    finish_reason: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


class ModelInfo(_Part):
    name: str
    source: str
    """Base URL, folder or hub id."""
    engine: str
    """``external``, or what served it."""
    adapters: tuple[str, ...] = ()
    revision: str | None = None
    start_s: float | None = None
    """How long its server took from its start until it answered; null where none was started for this run. Models that
    one process serves share its start."""


class LatencyQuantiles(_Part):
    p50: float
    p95: float
    p99: float


class Usage(_Part):
    """The run's traffic with the model, all invocations of the run together."""

    requests: int = 0
    """Answered or finally failed requests; each counts once, however often it was tried."""
    cached: int = 0
    """Of these, answered from the cache."""
    retried: int = 0
    """Extra tries."""
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    latency_s: LatencyQuantiles | None = None
    """Of answers that came from the server."""


class RunInfo(_Part):
    id: str
    name: str
    status: Status
    started_at: str
    """UTC, ISO 8601."""
    finished_at: str
    bridge_version: str
    spec_sha256: str
    argv: tuple[str, ...] = ()
    host: dict[str, str] = Field(default_factory=dict)


class Report(_Part):
    schema_version: Literal["1.0"] = "1.0"
    run: RunInfo
    models: tuple[ModelInfo, ...]
    usage: Usage
    """All requests of the run."""
    judge_usage: Usage | None = None
    """Of these, the requests to judges; null where there were none."""
    results: tuple[ResultRow, ...]
    errors: tuple[ReportError, ...] = ()
    arena: ArenaReport | None = None
    """What an arena found beyond its rows; null for other runs."""

    @property
    def status(self) -> Status:
        return self.run.status

    @property
    def exit_code(self) -> int:
        """0 where the run is complete; else the code of the most telling kind of error."""
        kinds = {error.kind for error in self.errors}
        return next((code for kind, code in EXIT_CODES.items() if kind in kinds), 0)
