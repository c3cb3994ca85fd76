"""What ``bridge compare --json`` says.  Differences are candidate minus baseline, in the metric's own unit."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from bridge.report.schema import Status

Verdict = Literal["better", "worse", "no difference shown"]
PairedBy = Literal["id", "position"]
Kind = Literal["subject", "score", "origin"]
Reason = Literal["prompt", "answer", "extraction", "scoring"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class Side(_Part):
    """One of the two things that are compared."""

    label: str
    """Short, and different for every side."""
    run: str
    """Folder."""
    run_id: str
    model: str
    backend: str | None = None
    """Where one backend was selected."""
    status: Status
    started_at: str
    imported: bool = False
    """The results were not made by bridge."""


class SettingDifference(_Part):
    """Something that is not alike on both sides."""

    dataset: str | None
    """Null: of the run as a whole, or the same for every dataset."""
    name: str
    baseline: str
    candidate: str
    kind: Kind
    """``subject``: what is compared; ``score``: can change scores by itself; ``origin``: versions, places, times."""


class Unpaired(_Part):
    """Samples that are not in the difference, and why."""

    error_in_baseline: int = 0
    error_in_candidate: int = 0
    error_in_both: int = 0
    only_in_baseline: int = 0
    only_in_candidate: int = 0
    other_prompt: int = 0
    """Asked with another prompt, so not the same question."""
    ambiguous: int = 0
    """The same id stands for several samples."""
    unreadable: int = 0
    """Lines of the files that are no records."""

    @property
    def total(self) -> int:
        return sum(self.model_dump().values())


class PartDifference(_Part):
    """One subset. The table of subsets is for finding places to look at: ``q_value`` is Benjamini and Hochberg's."""

    subset: str | None
    n: int
    baseline: float
    candidate: float
    difference: float
    ci95: tuple[float, float] | None
    p_value: float
    q_value: float
    gained: int
    lost: int


class Answer(_Part):
    score: float
    extracted: str | None
    response: str | None
    """Its end, where it is long."""
    finish_reason: str | None = None


class Flip(_Part):
    """A sample on which one side is better."""

    sample_id: str
    subset: str | None
    target: str | None
    reason: Reason
    baseline: Answer
    candidate: Answer


class Symptoms(_Part):
    """What often explains a lost answer, counted; null where a side's framework does not record it."""

    unparsed_baseline: int | None
    unparsed_candidate: int | None
    """Answers among the pairs out of which nothing could be read."""
    truncated_baseline: int
    truncated_candidate: int
    """Answers among the pairs that ended at the limit of tokens."""
    lost_unparsed: int | None
    lost_truncated: int
    """Of the lost samples, the candidate's answers of these kinds."""


class Noise(_Part):
    """Where samples were asked several times: how much of the difference's variance is from asking again."""

    repeats_baseline: float
    repeats_candidate: float
    share_within: float
    """0: only more samples make the comparison sharper; near 1: more repeats do."""


class Variances(_Part):
    """Of the two means, and their covariance: for statements about their ratio."""

    baseline: float
    candidate: float
    covariance: float


class DatasetComparison(_Part):
    dataset: str
    candidate_dataset: str | None = None
    """Its name on the candidate's side, where that is another."""
    metric: str
    unit: str
    higher_is_better: bool
    average: Literal["micro", "macro"] = "micro"
    """Macro: every subset counts the same."""
    baseline_backend: str
    candidate_backend: str
    paired_by: PairedBy
    n: int
    """Pairs."""
    unpaired: Unpaired
    baseline: float
    candidate: float
    """Means over the pairs, which need not be the values that the reports have over all samples."""
    difference: float
    ci95: tuple[float, float] | None
    bounds: tuple[float, float] | None
    """The difference if all that failed or is missing had been lost, or won, by the candidate."""
    p_value: float
    p_holm: float = 1.0
    """Corrected for the number of datasets and candidates in this comparison."""
    test: str
    verdict: Verdict = "no difference shown"
    """By ``p_holm`` at 5 %."""
    gained: int
    lost: int
    """Samples on which the candidate is better, or worse."""
    detectable: float | None
    """The smallest true difference that this comparison would have found with a power of 80 %."""
    estimate: float | None
    stderr: float | None
    df: float | None
    """What a gate decides by: of right-or-wrong scores Bonett and Price's; ``df`` null stands for the normal."""
    variances: Variances | None = None
    groups: int
    """Independent units."""
    clustered: bool = False
    design_effect: float | None = None
    noise: Noise | None = None
    reasons: dict[Reason, int]
    """Why the two sides' scores differ, counted over all samples on which they do."""
    symptoms: Symptoms
    subsets: tuple[PartDifference, ...] = ()
    flips_lost: tuple[Flip, ...] = ()
    flips_gained: tuple[Flip, ...] = ()
    notes: tuple[str, ...] = ()


class LoadDifference(_Part):
    """One metric of a performance test at one load."""

    load: str
    """``closed=16``, ``open=2.5``."""
    metric: str
    unit: str
    higher_is_better: bool
    baseline: float
    candidate: float
    difference: float
    ci95: tuple[float, float] | None = None
    """From the intervals of both sides; the requests are not paired."""
    p_value: float | None = None
    p_holm: float | None = None
    """Corrected for all loads and metrics of the two tests."""
    verdict: Verdict | None = None
    """Null where there is a note."""
    note: str = ""
    """Why nothing can be said."""


class NotCompared(_Part):
    dataset: str
    reason: str


class Suite(_Part):
    """The mean over datasets whose scores are fractions, each counting the same."""

    datasets: int
    difference: float
    ci95: tuple[float, float] | None


class Against(_Part):
    """One candidate against the baseline."""

    candidate: Side
    differences: tuple[SettingDifference, ...]
    suite: Suite | None
    datasets: tuple[DatasetComparison, ...]
    not_compared: tuple[NotCompared, ...]
    loads: tuple[LoadDifference, ...] = ()
    """Of two performance tests."""


class Comparison(_Part):
    schema_version: Literal["1.0"] = "1.0"
    baseline: Side
    against: tuple[Against, ...]


def comparison_schema() -> dict[str, Any]:
    """The JSON schema."""
    from bridge.described import json_schema

    return json_schema(Comparison, "serialization")
