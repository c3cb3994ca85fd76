"""``finetuned.json``: base against tuned, beside the report of the run."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from bridge.report.compare_schema import Comparison
from bridge.report.schema import Status


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Point(_Part):
    """One model's value on one dataset."""

    model: str
    step: int
    """Training steps; 0 is the base."""
    value: float | None
    ci95: tuple[float, float] | None
    n: int
    n_errors: int
    reason: str | None = None
    """Why there is no value, or why it is not of all samples."""


class Curve(_Part):
    """A dataset's primary value over the steps of the training."""

    dataset: str
    backend: str
    metric: str
    unit: str
    higher_is_better: bool
    points: tuple[Point, ...]


class Evaluated(_Part):
    name: str
    path: str
    step: int
    kind: Literal["lora", "full"]


class Finetuned(_Part):
    schema_version: Literal["1.0"] = "1.0"
    training: str
    """Folder of the training's run."""
    base: str | None
    """Folder of the base; null where it was neither served nor compared with."""
    checkpoints: tuple[Evaluated, ...]
    best: str | None
    """Name of the best checkpoint by the training's own evaluation."""
    status: Status
    """Of the run."""
    notes: tuple[str, ...]
    curves: tuple[Curve, ...]
    comparison: Comparison | None
    """Each checkpoint against the base; null where there is nothing to compare."""
    not_compared: tuple[str, ...] = ()
    """Why there is no comparison."""
