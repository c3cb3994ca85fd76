"""Metrics of a whole dataset that are no means over samples, of benchmarks that have some (``Benchmark.summary``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.native.benchmark import Summary
from bridge.report.schema import ResultRow


class Wholes:
    """Hands each sample, once all its repeats are there, to the summary. A sample that lacks one is left out."""

    def __init__(self, summary: Summary, repeats: int, categories: Mapping[str, str]) -> None:
        self._summary = summary
        self._repeats = repeats
        self._categories = categories
        self._at = -1
        self._found: list[dict[str, Any]] = []

    def add(self, at: int, record: dict[str, Any] | None, score: float | None) -> None:
        """One answer to the sample ``at``; ``score`` None: it has none."""
        if at != self._at:
            self._at, self._found = at, []
        if record is None or score is None:
            return
        self._found.append(record)
        if len(self._found) == self._repeats:
            first = self._found[0]
            self._summary.add(first.get("subset"), first["target"], [one.get("extracted") for one in self._found])

    def rows(self, template: ResultRow) -> list[ResultRow]:
        """Over all samples first, then subset by subset."""
        return [
            template.model_copy(
                update={
                    **whole._asdict(),
                    "subset": subset,
                    "category": self._categories.get(subset or ""),
                    "unit": "fraction",
                    "reason": None if whole.value is not None else "there is nothing to compare",
                }
            )
            for subset, whole in self._summary.wholes()
        ]
