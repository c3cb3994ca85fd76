"""Decided comparisons as columns: what every rating is made from, a million rows in a few megabytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.native.arena.battle import Decision

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

OUTCOMES = {"a": 1.0, "tie": 0.5, "b": 0.0}
STYLES = ("length", "headers", "lists", "bold")


@dataclass(frozen=True)
class Comparisons:
    """One row per decided comparison; ``models``, ``questions`` and ``categories`` are what the numbers stand for."""

    models: tuple[str, ...]
    questions: tuple[str, ...]
    categories: tuple[str, ...]
    question: Integers
    category: Integers
    """-1: none."""
    a: Integers
    b: Integers
    outcome: Floats
    """1: ``a`` won, 0: ``b`` won, 0.5: tie."""
    weight: Floats
    style: Floats
    """Rows × ``STYLES``: (a - b) / (a + b) of the two answers' counts; NaN where they are not known."""
    first: Floats
    """1: only asked with ``a`` first, -1: with ``b`` first, 0: both orders."""

    def __len__(self) -> int:
        return len(self.a)

    def only(self, rows: NDArray[np.bool_]) -> Comparisons:
        """These rows; models and questions keep their numbers."""
        return Comparisons(
            self.models,
            self.questions,
            self.categories,
            *(getattr(self, name)[rows] for name in COLUMNS),
        )

    def in_category(self, name: str) -> Comparisons:
        return self.only(self.category == self.categories.index(name))


COLUMNS = ("question", "category", "a", "b", "outcome", "weight", "style", "first")


def comparisons(decisions: Iterable[Decision], models: Sequence[str] = ()) -> Comparisons:
    """The decided ones among ``decisions``; ``models`` are in it even where nothing about them is decided."""
    rows = [decision for decision in decisions if decision.winner != "undecided"]
    names = sorted({*models, *(row.model_a for row in rows), *(row.model_b for row in rows)})
    questions, question = _numbered([row.question_id for row in rows])
    categories, category = _numbered([row.category or "" for row in rows])
    at = {name: number for number, name in enumerate(names)}
    if "" in categories:
        category = np.where(category == categories.index(""), -1, category)
    return Comparisons(
        models=tuple(names),
        questions=questions,
        categories=categories,
        question=question,
        category=category,
        a=np.array([at[row.model_a] for row in rows], np.int64),
        b=np.array([at[row.model_b] for row in rows], np.int64),
        outcome=np.array([OUTCOMES[row.winner] for row in rows], np.float64),
        weight=np.array([row.weight for row in rows], np.float64),
        style=np.array([_style(row) for row in rows], np.float64).reshape(-1, len(STYLES)),
        first=np.array([row.first for row in rows], np.float64),
    )


def balance(a: Any, b: Any) -> Any:
    """How much more of something ``a`` has, from -1 to 1; 0 where neither has any. Takes numbers and arrays."""
    return (a - b) / np.maximum(np.add(a, b), 1)


def _style(row: Decision) -> list[float]:
    a, b = row.style_a or {}, row.style_b or {}
    pairs = [(row.len_a, row.len_b), *((a.get(name), b.get(name)) for name in STYLES[1:])]
    return [float("nan") if None in pair else float(balance(*pair)) for pair in pairs]


def _numbered(names: list[str]) -> tuple[tuple[str, ...], Integers]:
    known: dict[str, int] = {}
    numbers = [known.setdefault(name, len(known)) for name in names]
    return tuple(known), np.array(numbers, np.int64)
