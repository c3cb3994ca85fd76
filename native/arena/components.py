"""Which models can be compared at all: the graph of who met and who won.

Where no chain of comparisons joins two models, there is no common scale. Where one group of models never won anything
against another, the distance between them has no finite estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bridge.native.arena.comparisons import Comparisons

Unbounded = Literal["above", "below"]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Component:
    """Models joined by comparisons."""

    members: tuple[int, ...]
    core: tuple[int, ...]
    """Of these the likelihood alone gives finite ratings against each other: each has won, or drawn, against the
    rest by some chain, and lost."""
    unbounded: dict[int, Unbounded]
    """The others: what the core never beat is above it, what never beat the core is below."""


def components(rows: Comparisons, anchors: Sequence[int] = ()) -> list[Component]:
    """Of all models, a model without comparisons alone; first what holds an anchor, then what holds most comparisons.
    The core is the part with an anchor, else the largest.
    """
    beats = _beats(rows)
    reach = _closure(beats)
    joined = _closure(beats | beats.T)
    m = len(rows.models)
    weight = np.asarray(np.bincount(rows.a, rows.weight, m) + np.bincount(rows.b, rows.weight, m), np.float64)
    found = [_component(group, reach, weight, set(anchors)) for group in _groups(joined)]
    fixed = set(anchors)
    return sorted(
        found, key=lambda part: (fixed.isdisjoint(part.members), -sum(weight[list(part.members)]), part.members)
    )


def _beats(rows: Comparisons) -> Bools:
    """``[i, j]``: i has won against j, or drawn."""
    m = len(rows.models)
    found = np.zeros((m, m), np.bool_)
    counted = rows.weight > 0
    won, lost = counted & (rows.outcome > 0), counted & (rows.outcome < 1)
    found[rows.a[won], rows.b[won]] = True
    found[rows.b[lost], rows.a[lost]] = True
    return found


def _closure(edges: Bools) -> Bools:
    """Who reaches whom in any number of steps, everybody themselves included."""
    reach = edges | np.eye(len(edges), dtype=np.bool_)
    while True:
        further = (reach.astype(np.float32) @ reach.astype(np.float32)) > 0
        if (further == reach).all():
            return reach
        reach = further


def _groups(same: Bools) -> list[tuple[int, ...]]:
    """Of a symmetric closure: its classes."""
    return list(dict.fromkeys(tuple(map(int, np.flatnonzero(row))) for row in same))


def _component(members: tuple[int, ...], reach: Bools, weight: NDArray[np.float64], anchors: set[int]) -> Component:
    inner = [group for group in _groups(reach & reach.T) if group[0] in members]
    core = max(inner, key=lambda group: (bool(anchors & set(group)), len(group), sum(weight[list(group)])))
    unbounded: dict[int, Unbounded] = {}
    for model in set(members).difference(core):
        # Neither reaches the other: both only lost to, or only beat, a third; the side is that of their net wins.
        above = reach[model, core[0]] or (not reach[core[0], model] and reach[model].sum() >= reach[:, model].sum())
        unbounded[model] = "above" if above else "below"
    return Component(members, core, unbounded)
