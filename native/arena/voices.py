"""Who said what about each comparison, judges and people side by side, and how far any two of them agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from bridge.native.arena.agreement import cohen
from bridge.native.arena.battle import Battle

Comparison = tuple[str, int, str, str]
"""Question, turn, and the two models."""
Said = Mapping[Comparison, int]
"""1: ``model_a``, -1: ``model_b``, 0: a tie."""
VALUES = {"a": 1, "b": -1, "tie": 0}


@dataclass(frozen=True)
class Agreed:
    n: int
    """Comparisons that both have a verdict on."""
    accuracy: float | None
    """Share of these with the same verdict; None where there are none."""
    accuracy_no_ties: float | None
    """The same where neither says tie."""
    kappa: float | None
    """Cohen's."""


def voices(rows: Iterable[Battle]) -> dict[str, dict[Comparison, int]]:
    """Name → verdicts, of each judge and of each annotator; where a judge's orders or repeats disagree, a tie."""
    heard: dict[str, dict[Comparison, list[int]]] = {}
    for row in rows:
        if row.verdict is not None and row.model_b is not None and row.parser not in ("identical", "missing"):
            comparison = (row.question_id, row.turn, row.model_a, row.model_b)
            heard.setdefault(row.annotator or row.judge, {}).setdefault(comparison, []).append(VALUES[row.verdict])
    return {
        name: {comparison: said[0] if len(set(said)) == 1 else 0 for comparison, said in verdicts.items()}
        for name, verdicts in heard.items()
    }


def agreed(one: Said, other: Said) -> Agreed:
    common = sorted(one.keys() & other.keys())
    pairs = [(one[key], other[key]) for key in common]
    if not pairs:
        return Agreed(0, None, None, None)
    settled = [(a, b) for a, b in pairs if a and b]
    left, right = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    return Agreed(len(pairs), _share(pairs), _share(settled), cohen(left, right))


def _share(pairs: list[tuple[int, int]]) -> float | None:
    return sum(a == b for a, b in pairs) / len(pairs) if pairs else None
