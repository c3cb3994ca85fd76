"""What ``bridge gate --json`` says.  A loss is positive where the candidate is worse."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from bridge.gate.policy import Tier
from bridge.gate.rule import Verdict
from bridge.report.compare_schema import Side

State = Literal["ok", "worse", "not shown", "missing", "unclear", "told"]
"""``worse`` and ``missing`` stop the candidate, ``not shown`` and ``unclear`` leave it open, ``told`` is only told."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class SuiteAnswer(_Part):
    state: State
    datasets: int
    difference: float
    """Candidate minus baseline, weighted as the policy says."""
    ci95: tuple[float, float]
    max_drop: float
    p_worse: float
    p_ok: float


class DatasetAnswer(_Part):
    dataset: str
    tier: Tier
    state: State
    metric: str | None = None
    unit: str = "fraction"
    higher_is_better: bool = True
    pairs: int = 0
    unpaired: int = 0
    baseline: float | None = None
    candidate: float | None = None
    difference: float | None = None
    ci95: tuple[float, float] | None = None
    margin: float | None = None
    relative: bool = False
    p_worse: float | None = None
    """That it is worse than its margin, by Holm over all that are gated."""
    p_ok: float | None = None
    gained: int = 0
    lost: int = 0
    floor: str = ""
    """What became of ``min_value`` or ``max_value``."""
    waived: str = ""
    """Until when, and why it decides nothing."""
    why: tuple[str, ...] = ()


class PerformanceAnswer(_Part):
    name: str
    state: State
    baseline: float | None
    candidate: float | None
    limits: tuple[str, ...]
    broken: tuple[str, ...]


class PolicyInfo(_Part):
    path: str
    sha256: str
    alpha: float
    on_inconclusive: str


class GateAnswer(_Part):
    schema_version: Literal["1.0"] = "1.0"
    verdict: Verdict
    exit_code: int
    baseline: Side
    candidate: Side
    policy: PolicyInfo
    suite: SuiteAnswer | None
    datasets: tuple[DatasetAnswer, ...]
    performance: tuple[PerformanceAnswer, ...]
    differences: tuple[str, ...]
    """Settings that are to be the same and are not."""
    not_in_policy: tuple[str, ...]
    """Datasets of the runs that the policy does not name."""
    expired_waivers: tuple[str, ...]
    why: tuple[str, ...]
    """The reasons for the verdict, and where to look first."""


def answer_schema() -> dict[str, Any]:
    """The JSON schema."""
    from bridge.described import json_schema

    return json_schema(GateAnswer, "serialization")
