"""How often each model beats the baseline, a tie half, with the error of questions, not of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bridge.native.arena.comparisons import Comparisons, Floats, Integers
from bridge.report.estimate import Estimate, Tally


@dataclass(frozen=True)
class WinRate:
    model: str
    baseline: str
    estimate: Estimate
    wins: int
    losses: int
    ties: int


def win_rates(rows: Comparisons, baseline_of: Callable[[str | None], str | None]) -> list[WinRate]:
    """Each model against the baseline of its question's category; models that never met it are not in it."""
    at = {name: number for number, name in enumerate(rows.models)}
    names = [baseline_of(name or None) for name in rows.categories] + [baseline_of(None)]
    wanted = np.array([at.get(name or "", -9) for name in names])[rows.category]
    found = []
    for number, model in enumerate(rows.models):
        is_a, is_b = (rows.a == number) & (rows.b == wanted), (rows.b == number) & (rows.a == wanted)
        own = is_a | is_b
        if own.any():
            outcome = np.where(is_a, rows.outcome, 1 - rows.outcome)[own]
            met = sorted({rows.models[int(rival)] for rival in np.unique(wanted[own])})
            found.append(_win_rate(model, ", ".join(met), outcome, rows.question[own]))
    return found


def _win_rate(model: str, baseline: str, outcome: Floats, question: Integers) -> WinRate:
    counts = [int((outcome == value).sum()) for value in (1.0, 0.0, 0.5)]
    return WinRate(model, baseline, clustered_mean(outcome, question), counts[0], counts[1], counts[2])


def clustered_mean(values: Floats, question: Integers) -> Estimate:
    """The mean of the values, its error that of questions."""
    tally = Tally()
    for at in np.argsort(question, kind="stable"):
        tally.add(float(values[at]), str(question[at]))
    return tally.estimate()
