"""Comparisons by question: what one question brings stands or falls together.

Equal comparisons are one *cell*, questions that brought the same cells one *unit* with a count. A million votes on a
million questions are then a few hundred units, and every sum over questions is short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.native.arena.comparisons import Comparisons, Floats, Integers
from bridge.native.arena.fit import Fit, Rows, row_slopes

BLOCK = 20_000
"""Units whose scores are in memory at a time."""


@dataclass(frozen=True)
class Clusters:
    """``cell`` and ``unit`` are of each entry (a cell within a unit), in the order of the units."""

    cells: Rows
    """Weights are of one comparison."""
    cell: Integers
    unit: Integers
    count: Integers
    """Questions that a unit stands for."""

    @property
    def n(self) -> int:
        return int(self.count.sum())

    @property
    def totals(self) -> Rows:
        """The cells with all their weight: the rows to fit."""
        times = np.bincount(self.cell, self.count[self.unit], len(self.cells.a))
        return _weighted(self.cells, self.cells.weight * times)


def clusters(rows: Comparisons, x: Floats, members: Integers, *, by_question: bool = True) -> Clusters:
    """Of the comparisons among ``members``, which are numbered in this order; ``x`` has a row per comparison."""
    at = np.full(len(rows.models), -1)
    at[members] = np.arange(len(members))
    inside = (at[rows.a] >= 0) & (at[rows.b] >= 0) & (rows.weight > 0)
    own, x = rows.only(inside), x[inside]
    question = own.question if by_question else np.arange(len(own))
    order = np.argsort(question, kind="stable")
    cells, cell = _cells(own, x, at, len(members))
    _, question = np.unique(question[order], return_inverse=True)
    return _merged(cells, cell[order], question)


def _cells(rows: Comparisons, x: Floats, at: Integers, m: int) -> tuple[Rows, Integers]:
    a, b = at[rows.a], at[rows.b]
    if x.shape[1]:
        return Rows(a, b, rows.outcome, rows.weight, x, m), np.arange(len(a))
    weights, weight = np.unique(rows.weight, return_inverse=True)
    code = ((a * m + b) * 3 + (2 * rows.outcome).astype(np.int64)) * max(1, len(weights)) + weight
    _, first, cell = np.unique(code, return_index=True, return_inverse=True)
    return Rows(a[first], b[first], rows.outcome[first], rows.weight[first], x[first], m), cell


def _merged(cells: Rows, cell: Integers, question: Integers) -> Clusters:
    """Questions with the same cells become one unit. They are known by a sum of 64 random bits per cell."""
    if not len(cell):
        return Clusters(cells, cell, question, np.zeros(0, np.int64))
    bits = np.random.default_rng(0).integers(0, 2**64, len(cells.a), np.uint64)
    starts = np.flatnonzero(np.diff(question, prepend=-1))
    keys = np.add.reduceat(bits[cell], starts)
    _, kept, unit, count = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    is_kept = np.zeros(len(starts), np.bool_)
    is_kept[kept] = True
    entries = is_kept[question]
    order = np.argsort(unit[question[entries]], kind="stable")
    return Clusters(cells, cell[entries][order], unit[question[entries]][order], count)


def covariance(found: Fit, groups: Clusters) -> Floats:
    """Of the fit's parameters, robust against whatever correlation there is within a question (sandwich)."""
    slopes = row_slopes(groups.cells, found.parameters, found.ties)
    size = len(found.parameters)
    meat = np.zeros((size, size))
    for low in range(0, len(groups.count), BLOCK):
        high = min(low + BLOCK, len(groups.count))
        first, last = np.searchsorted(groups.unit, [low, high])
        cell, unit = groups.cell[first:last], groups.unit[first:last] - low
        scores = np.zeros((high - low, size))
        _add(scores, unit, groups.cells.a[cell], slopes.d[cell])
        _add(scores, unit, groups.cells.b[cell], -slopes.d[cell])
        for k in range(groups.cells.x.shape[1]):
            scores[:, found.m + k] = np.bincount(unit, groups.cells.x[cell, k] * slopes.d[cell], high - low)
        if found.ties == "davidson":
            scores[:, -1] = np.bincount(unit, slopes.nu[cell], high - low)
        meat += (scores * groups.count[low:high, None]).T @ scores
    n = groups.n
    return np.asarray(found.inverse @ meat @ found.inverse * (n / (n - 1) if n > 1 else np.nan))


def _add(scores: Floats, unit: Integers, column: Integers, values: Floats) -> None:
    n, size = scores.shape
    scores += np.bincount(unit * size + column, values, n * size).reshape(n, size)


def _weighted(rows: Rows, weight: Floats) -> Rows:
    return Rows(rows.a, rows.b, rows.outcome, weight, rows.x, rows.m)
