"""By likelihood: which of the given answers does the model hold for the most likely?

The answer that is scored is the log-likelihoods, as JSON (see ``bridge.native.likelihood``): natural logarithms, summed
over the tokens of each continuation. Of equal ones the first is taken, as numpy's argmax does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bridge.native.benchmark import Metric, Sample, Verdict

METHOD = "loglikelihood"


@dataclass(frozen=True)
class MostLikely:
    """1 where the right answer is the most likely one.

    ``accuracy`` compares the sums, ``accuracy_norm`` the sums divided by the answers' lengths in characters, as lm-eval
    does, so that long answers are not at a disadvantage. ``normalised``: the latter is the primary one.
    """

    normalised: bool
    name: str = "most_likely"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        both = (Metric("accuracy"), Metric("accuracy_norm"))
        return both[::-1] if self.normalised else both

    def at_once(self, answer: str, sample: Sample) -> Verdict:
        sums = sums_of(answer, sample)
        letters, lengths = list(sample.choices), [max(1, len(text)) for text in sample.choices.values()]
        plain = letters[_first_highest(sums)]
        norm = letters[_first_highest([total / length for total, length in zip(sums, lengths, strict=True)])]
        scores = {"accuracy": float(plain == sample.target), "accuracy_norm": float(norm == sample.target)}
        return Verdict(norm if self.normalised else plain, scores, METHOD)

    def prepare(self) -> None:
        """Needs no library."""

    def at_length(self, answer: str, sample: Sample) -> Verdict:
        return self.at_once(answer, sample)


@dataclass(frozen=True)
class MassOfTruth:
    """The share of the probability of all answers that the right ones have together: TruthfulQA's MC2."""

    name: str = "mass_of_truth"
    metrics: tuple[Metric, ...] = (Metric("probability"),)

    def at_once(self, answer: str, sample: Sample) -> Verdict:
        sums, letters = sums_of(answer, sample), list(sample.choices)
        highest = max(sums)
        weights = [math.exp(total - highest) for total in sums]
        right = sum(weight for weight, letter in zip(weights, letters, strict=True) if letter in sample.target)
        share = min(1.0, right / sum(weights))
        return Verdict(letters[_first_highest(sums)], {"probability": share}, METHOD)

    def prepare(self) -> None:
        """Needs no library."""

    def at_length(self, answer: str, sample: Sample) -> Verdict:
        return self.at_once(answer, sample)


def sums_of(answer: str, sample: Sample) -> list[float]:
    """The log-likelihood of each answer. Raises ValueError where there are not as many as the sample has."""
    told: list[dict[str, Any]] = json.loads(answer)
    sums = [float(one["logprob"]) for one in told]
    if len(sums) != len(sample.choices) or not all(map(math.isfinite, sums)):
        raise ValueError(f"{len(sums)} log-likelihoods for {len(sample.choices)} answers, or one that is no number")
    return sums


def _first_highest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda at: (values[at], -at))
