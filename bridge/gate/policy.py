"""What a gate's policy says.  The docstrings of the fields are its reference in ``docs/gate.md``."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bridge.report.schema import Status

Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Tier = Literal["critical", "supporting", "advisory"]
Sameness = Literal["prompt", "generation", "few_shot", "limit", "judge", "dataset_revision", "metric", "backend"]
DEFAULT_MAX_DROP = 0.03
"""Of a fraction; other units have no default."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Require(Part):
    """What must hold for the evidence to count; where it does not, the gate is inconclusive."""

    status: Literal["complete", "partial"] = "complete"
    """Of every gated dataset, in both runs: `partial` allows samples without an answer."""
    max_error_rate: Fraction = 0.01
    """Samples without a score, as a share of all of the dataset."""
    max_unpaired: Fraction = 0.01
    """Samples that are no pair, whatever the reason, as a share of all."""
    same: tuple[Sameness, ...] = ("prompt", "generation", "few_shot", "limit", "judge", "dataset_revision", "metric")
    """What must be alike in both runs."""

    def allows(self, status: Status) -> bool:
        return status is Status.COMPLETE or (status is Status.PARTIAL and self.status == "partial")


class SuiteRule(Part):
    """The mean over the gated datasets whose scores are fractions."""

    metric: Literal["primary"] = "primary"
    max_drop: Positive = 0.01
    """The mean must be shown to have fallen by less."""
    weights: Literal["equal"] | dict[str, Positive] = "equal"
    """By dataset; `equal`: every one counts the same."""


class DatasetRule(Part):
    """One dataset, or all that a pattern names."""

    tier: Tier | None = None
    """`critical`: must be shown not to be worse than allowed. `supporting` (default): must not be shown to be worse.
    `advisory`: is told, and decides nothing."""
    metric: str | None = None
    """Default: the dataset's primary one."""
    unit: str | None = None
    """Of the metric, where you want it checked: fraction, rating, …"""
    max_drop: Positive | None = None
    """How much the score may fall, in the metric's own unit."""
    max_rise: Positive | None = None
    """How much it may rise, where lower is better."""
    relative: bool | None = None
    """The margin is a share of the baseline's mean."""
    min_value: float | None = None
    """Floor: the lower end of the candidate's own 95 % interval must be at it or above."""
    max_value: float | None = None
    """Ceiling, where lower is better."""
    cluster: str | None = None
    """What samples share their luck: `subset`, a key of the records' metadata, `none`."""
    repeats_at_least: Annotated[int, Field(ge=1)] | None = None
    """Answers per sample, on the average, on both sides."""

    @model_validator(mode="after")
    def _one_direction(self) -> Self:
        if self.max_drop is not None and self.max_rise is not None:
            raise ValueError("give 'max_drop' (higher is better) or 'max_rise' (lower is better), not both")
        if self.relative and (margin := self.max_drop or self.max_rise) is not None and margin >= 1:
            raise ValueError("a relative margin is a share of the baseline's mean, below 1")
        return self

    def over(self, other: DatasetRule) -> DatasetRule:
        """This rule, completed by the other. A margin is taken whole: of one rule or of the other."""
        own = {name: value for name, value in self if value is not None}
        theirs = {name: value for name, value in other if value is not None}
        if {"max_drop", "max_rise"} & own.keys():
            theirs = {name: value for name, value in theirs.items() if name not in ("max_drop", "max_rise", "relative")}
        return DatasetRule.model_construct(**{**theirs, **own})


class PerformanceRule(Part):
    """Limits of a measured number, such as latency_s.p95."""

    max: float | None = None
    min: float | None = None
    max_relative_rise: Positive | None = None
    """Against the baseline's number."""
    max_relative_drop: Positive | None = None

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if all(value is None for _, value in self):
            raise ValueError("give one of: max, min, max_relative_rise, max_relative_drop")
        return self


class Waiver(Part):
    """A dataset that decides nothing until a day."""

    dataset: str
    reason: Annotated[str, Field(min_length=1)]
    until: date
    """The last day on which it counts."""
    by: str = ""


class Policy(Part):
    version: Literal[1]
    """Write `version: 1`."""
    baseline: str | None = None
    """Folder of the baseline's run, taken from the policy's folder; the command line comes first."""
    alpha: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """How often a candidate that is as bad as the margins allow may pass."""
    require: Require = Require()
    suite: SuiteRule = SuiteRule()
    defaults: DatasetRule = DatasetRule()
    """For every dataset that says nothing else."""
    datasets: dict[str, DatasetRule] = Field(default_factory=dict)
    """By name, or by pattern (`safety_*`); an exact name wins over patterns, a later pattern over an earlier one.
    Without any, all datasets of the baseline are gated."""
    performance: dict[str, PerformanceRule] = Field(default_factory=dict)
    on_inconclusive: Literal["fail", "warn", "pass"] = "fail"
    """`fail`: exit code 11; `warn` and `pass`: 0."""
    waivers: tuple[Waiver, ...] = ()
