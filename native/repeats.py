"""What several answers to one question come to: pass@k, pass^k and the majority's vote.

For a sample that was asked ``n`` times and answered rightly ``c`` times:

``pass_at_k``      the chance that one of ``k`` answers is right, ``1 - C(n-c, k) / C(n, k)``, which is unbiased
``pass_hat_k``     the chance that all of ``k`` answers are right, ``C(c, k) / C(n, k)``
``majority_vote``  whether what was read out of most answers is right; a tie counts by its right part, and an answer
                   in which nothing was found has no vote

Each is a mean over samples. ``k`` is 2, 4, 8 … and the number of repeats. Only for scores that are 0 or 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import comb
from typing import Any

from bridge.report.aggregate import MetricInfo, ScoredSample, aggregate
from bridge.report.schema import ResultRow

Vote = tuple[str | None, float]
"""What was read out of an answer, and its score."""


def pass_at(k: int, n: int, right: int) -> float:
    return 1.0 - comb(n - right, k) / comb(n, k)


def pass_hat(k: int, n: int, right: int) -> float:
    return comb(right, k) / comb(n, k)


def majority(votes: Iterable[Vote]) -> float:
    """The share of the most frequent results that is right; 0 where nothing was found in any answer."""
    cast = [(found, score) for found, score in votes if found is not None]
    counts = Counter(found for found, _ in cast)
    right = dict(cast)
    most = [found for found, count in counts.items() if count == max(counts.values())]
    return sum(right[found] for found in most) / len(most) if most else 0.0


def sizes(repeats: int) -> list[int]:
    """The ``k`` that are reported."""
    powers = [1 << at for at in range(1, repeats.bit_length()) if 1 << at < repeats]
    return [*powers, repeats]


class Repeats:
    """Gathers the repeats of each sample, which come one after the other; memory is a few numbers per sample."""

    def __init__(self, repeats: int) -> None:
        self._repeats = repeats
        self._binary = True
        self._votes: list[Vote] = []
        self._samples: list[ScoredSample] = []

    def add(self, at: int, record: Mapping[str, Any] | None, score: float | None) -> None:
        """One answer to the sample ``at``; ``score`` None: it has none."""
        if self._repeats < 2:
            return
        if len(self._samples) <= at:
            self._samples.append(ScoredSample(str(at), {}))
            self._votes = []
        if record is None or score is None:
            self._samples[at] = ScoredSample(str(at), {}, "one of its repeats has no score")
            return
        self._binary &= score in (0, 1)
        self._votes.append((record.get("extracted"), score))
        if len(self._votes) == self._repeats:
            self._samples[at] = ScoredSample(str(at), dict(self._scores()))

    def rows(self, template: ResultRow) -> list[ResultRow]:
        """Over all samples; none where there are no repeats, or the scores are not just right and wrong."""
        if self._repeats < 2 or not self._binary or not self._samples:
            return []
        metrics = [MetricInfo(name) for name, _ in self._names()]
        rows = aggregate(self._samples, template=template, metrics=metrics)
        return [row.model_copy(update={"primary": False}) for row in rows]

    def _names(self) -> Iterator[tuple[str, int]]:
        for k in sizes(self._repeats):
            yield f"pass_at_{k}", k
            yield f"pass_hat_{k}", k
        yield "majority_vote", 0

    def _scores(self) -> Iterator[tuple[str, float]]:
        right = round(sum(score for _, score in self._votes))
        for name, k in self._names():
            if name == "majority_vote":
                yield name, majority(self._votes)
            else:
                yield name, (pass_at if name.startswith("pass_at") else pass_hat)(k, self._repeats, right)
