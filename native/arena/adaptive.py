"""Which pairs to play next: those whose order is least certain, by the verdicts that are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from bridge.native.arena.battle import Battle
from bridge.native.arena.comparisons import OUTCOMES
from bridge.native.arena.fit import Rows, fit
from bridge.native.arena.matches import Match, draw

FIRST_QUESTIONS = 3
"""So many questions for each pair, before anything is known."""
PSEUDO_TIES = 0.5
"""For each pair: keeps the estimate finite where a model has only won so far."""
Pair = tuple[str, str | None]


def next_matches(candidates: Sequence[Match], rows: Iterable[Battle], batch: int, seed: int) -> Iterator[Match]:
    """Up to ``batch`` of the candidates, which stand in the order in which a balanced arena would play them.

    A pair is drawn with p ∝ (p(1-p)·Var(θi-θj))², where p is the probability that one beats the other.
    """
    verdicts = [row for row in rows if row.verdict is not None and row.model_b is not None]
    played = Counter[Pair]((row.model_a, row.model_b) for row in {_key(row): row for row in verdicts}.values())
    waiting: dict[Pair, list[Match]] = {}
    for match in reversed(candidates):
        waiting.setdefault(match.pair, []).append(match)
    fresh = [pair for pair in sorted(waiting, key=str) if played[pair] < FIRST_QUESTIONS]
    if fresh:
        for pair in fresh:
            for _ in range(min(FIRST_QUESTIONS - played[pair], len(waiting[pair]))):
                yield waiting[pair].pop()
        return
    pairs = sorted(waiting, key=str)
    weights = _uncertainty(pairs, verdicts)
    for number in range(batch):
        open_weights = np.array([w if waiting[pair] else 0.0 for pair, w in zip(pairs, weights, strict=True)])
        if not (total := open_weights.sum()):
            return
        lot = int.from_bytes(draw(seed, "adaptive", len(verdicts), number)[:8]) / 2**64
        at = min(int(np.searchsorted(np.cumsum(open_weights) / total, lot, side="right")), len(pairs) - 1)
        yield waiting[pairs[at]].pop()


def _uncertainty(pairs: Sequence[Pair], verdicts: Sequence[Battle]) -> list[float]:
    names = sorted({name for pair in pairs for name in pair if name} | _models(verdicts))
    at = {name: number for number, name in enumerate(names)}
    met = [(at[row.model_a], at[row.model_b or ""], OUTCOMES[str(row.verdict)], 1.0) for row in verdicts]
    met += [(at[a], at[b or ""], 0.5, PSEUDO_TIES) for a, b in pairs]
    a, b, outcome, weight = (np.array(column) for column in zip(*met, strict=True))
    rows = Rows(a.astype(np.int64), b.astype(np.int64), outcome, weight, np.zeros((len(met), 0)), len(names))
    found = fit(rows)
    return [_weight(found.theta, found.inverse, at[a], at[b or ""]) for a, b in pairs]


def _weight(theta: np.ndarray, inverse: np.ndarray, i: int, j: int) -> float:
    p = 1 / (1 + np.exp(theta[j] - theta[i]))
    variance = inverse[i, i] + inverse[j, j] - 2 * inverse[i, j]
    return float((p * (1 - p) * variance) ** 2)


def _models(verdicts: Iterable[Battle]) -> set[str]:
    return {name for row in verdicts for name in (row.model_a, row.model_b) if name}


def _key(row: Battle) -> tuple[str, str, str | None]:
    return row.question_id, row.model_a, row.model_b
