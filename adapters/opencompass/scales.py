"""What the numbers of OpenCompass's post-processors of judgements mean: it does not say, and each has another scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

_PERCENT = 100.0


@dataclass(frozen=True)
class Scale:
    quoted: str
    """The metric over all samples; the others are for kinds of questions, or further ones."""
    unit: Literal["fraction", "rating", "points"]
    full: float = 1.0
    """The number that stands for all, of a fraction; else its highest."""
    low: float | None = 0.0
    of_samples: bool = True
    """A judgement alone has a score on this scale."""
    kind: str = ""
    """The field of the references whose values, ``kinds`` of them, all count in it, those without a question as 0."""
    kinds: int = 0
    alike: bool = False
    """As many questions of each kind are expected."""

    @property
    def divisor(self) -> float:
        return self.full if self.unit == "fraction" else 1.0

    @property
    def high(self) -> float | None:
        return None if self.low is None else 1.0 if self.unit == "fraction" else self.full


SCALES: Mapping[str, Scale] = {
    "alignbench_postprocess": Scale("总分", "rating", 10, kind="capability", kinds=8),
    "alpacaeval_postprocess": Scale("total", "fraction", _PERCENT),
    "arenahard_postprocess": Scale("score", "fraction", _PERCENT, of_samples=False),
    "compassarena_subjectiveeval_pairwise_postprocess": Scale("Average_score", "points", 100, -100),
    "compassarena_subjectiveeval_pointwise_postprocess": Scale("Average_score", "fraction", _PERCENT),
    "csimpleqa_postprocess": Scale("correct", "fraction"),
    "fofo_postprocess": Scale("overall", "fraction"),
    "followbench_postprocess": Scale("HSR_AVG", "fraction", kind="level", kinds=5, alike=True),
    "generic_llmjudge_postprocess": Scale("accuracy", "fraction", _PERCENT),
    "hellobench_postprocess": Scale("overall_score", "points", low=None),
    "livereasonbench_postprocess": Scale("f1", "fraction", _PERCENT, of_samples=False),
    "mtbench_postprocess": Scale("total", "rating", 10),
    "mtbench101_postprocess": Scale("avg", "rating", 10),
    "simpleqa_postprocess": Scale("accuracy", "fraction", _PERCENT),
    "wildbench_postprocess": Scale("average", "points", 100, -100),
    "writingbench_postprocess": Scale("overall", "rating", 10),
}
"""Post-processor → its scale. Their readers of single judgements are in ``ocbridge.judgements``."""
