"""``progress.json`` and ``state.json``: how far a job is, for whoever watches, and how it ended, for whoever collects.

progress.json  {"done": 3, "total": 10, "stage": "ask", "failed": 0, "datasets": {"arc": {"done": 3, "total": 10}}}
state.json     {"status": "finished", "reason": "", "datasets": {"arc": {"recipe": "…", "expected": …, …}}}
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bridge.native.job import PROGRESS_FILE, STATE_FILE
from bridge.native.whole import read_whole, write_whole

EVERY_S = 0.25
Status = Literal["running", "finished", "incomplete", "endpoint", "interrupted", "failed"]


@dataclass
class DatasetState:
    """One dataset as it stands; all that ``collect`` must know and the records do not say."""

    recipe: str = ""
    expected: list[tuple[str | None, int]] | None = None
    """Samples of each subset, in order; None: not known (yet)."""
    done: int = 0
    """Samples that have a record, each repeat for itself."""
    failed: int = 0
    """Of these, records without a score."""
    read_all: bool = False
    """Every row has been read: ``expected`` is what there is."""
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Files, or the dataset as a whole, that could not be read."""

    def total(self, repeats: int) -> int | None:
        return None if self.expected is None else sum(count for _, count in self.expected) * repeats


class Ledger:
    """Keeps both files up to date."""

    def __init__(self, folder: Path, repeats: dict[str, int]) -> None:
        self._folder = folder
        self._repeats = repeats
        self._told_at = 0.0
        self.datasets = {name: DatasetState() for name in repeats}
        self.stage = "ask"

    def count(self, dataset: str, good: bool) -> None:
        """One more sample has a record."""
        state = self.datasets[dataset]
        state.done += 1
        state.failed += not good
        if time.monotonic() - self._told_at >= EVERY_S:
            self.tell()

    def tell(self) -> None:
        """Writes ``progress.json`` now."""
        self._told_at = time.monotonic()
        totals = {name: state.total(self._repeats[name]) for name, state in self.datasets.items()}
        states = self.datasets.values()
        write_whole(
            self._folder / PROGRESS_FILE,
            {
                "done": sum(state.done for state in states),
                "total": _sum(totals.values()),
                "stage": self.stage,
                "failed": sum(state.failed for state in states),
                "datasets": {name: {"done": self.datasets[name].done, "total": totals[name]} for name in totals},
            },
        )

    def close(self, status: Status, reason: str = "") -> None:
        """Writes ``state.json``: how the job ended, or that it runs."""
        datasets = {name: _as_json(state) for name, state in self.datasets.items()}
        write_whole(self._folder / STATE_FILE, {"status": status, "reason": reason, "datasets": datasets})


def read_state(folder: Path) -> tuple[str, str, dict[str, DatasetState]]:
    """Status, reason and datasets; ("", "", {}) where the job has left no state that can be read."""
    raw = read_whole(folder / STATE_FILE)
    try:
        datasets = {name: _from_json(one) for name, one in raw.get("datasets", {}).items()}
        return str(raw.get("status", "")), str(raw.get("reason", "")), datasets
    except (TypeError, ValueError, AttributeError):
        return "", "", {}


def _as_json(state: DatasetState) -> dict[str, Any]:
    return vars(state)


def _from_json(raw: dict[str, Any]) -> DatasetState:
    state = DatasetState(**raw)
    if state.expected is not None:
        state.expected = [(subset, int(count)) for subset, count in state.expected]
    return state


def _sum(totals: Iterable[int | None]) -> int | None:
    """None where one is not known."""
    sum_ = 0
    for total in totals:
        if total is None:
            return None
        sum_ += total
    return sum_
