"""Bradley-Terry by maximum likelihood, with Newton's method.

``P(a beats b) = 1 / (1 + exp(-(θa - θb + x·β)))``. A tie is half a win and half a loss, or (Davidson 1970) an outcome
of its own with ``P(tie) ∝ ν sqrt(πa πb)``. Only differences of θ are determined; their mean is kept at 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bridge.errors import OutputError
from bridge.native.arena.comparisons import Floats, Integers

Ties = Literal["half", "davidson"]
TOLERANCE = 1e-10
LIMIT = 200
SINGULAR = 1e12
"""Condition of the information beyond which a covariate is a sum of the models' own columns."""
LONGEST_STEP = 1.0
"""Newton on a logistic curve overshoots from afar; so far it may go at once."""


@dataclass(frozen=True)
class Rows:
    """Comparisons, or cells of equal ones with their summed weight."""

    a: Integers
    b: Integers
    outcome: Floats
    weight: Floats
    x: Floats
    """Rows × covariates; they act like an advantage of ``a``."""
    m: int
    """Models."""


@dataclass(frozen=True)
class Fit:
    """θ, then β, then (Davidson) ln ν in ``parameters``; ``inverse`` is that of the information, θ's mean fixed."""

    parameters: Floats
    inverse: Floats
    m: int
    ties: Ties

    @property
    def theta(self) -> Floats:
        return self.parameters[: self.m]

    @property
    def beta(self) -> Floats:
        return self.parameters[self.m : len(self.parameters) - (self.ties == "davidson")]


@dataclass(frozen=True)
class Slopes:
    """First and second derivatives of each row's log likelihood, by the advantage d of ``a`` and by ln ν."""

    d: Floats
    dd: Floats
    nu: Floats
    nunu: Floats
    dnu: Floats


def fit(rows: Rows, *, ties: Ties = "half", ridge: float = 0.0) -> Fit:
    """The optimum; every model must be bounded (see ``components``), else OutputError. ``ridge`` is on β alone."""
    size = rows.m + rows.x.shape[1] + (ties == "davidson")
    at = np.zeros(size)
    for _ in range(LIMIT):
        slopes = row_slopes(rows, at, ties)
        penalty = _penalty(rows, ridge, size)
        gradient = summed(rows, slopes, ties) - penalty * at
        inverse = _inverse(information(rows, slopes, ties), np.diag(penalty), rows.m)
        step = inverse @ gradient
        longest = float(np.abs(step).max(initial=0.0))
        at = at + step * min(1.0, LONGEST_STEP / longest if longest else 1.0)
        at[: rows.m] -= at[: rows.m].mean()
        if longest < TOLERANCE:
            return Fit(at, inverse, rows.m, ties)
    raise OutputError(f"the ratings do not settle in {LIMIT} steps; give a prior, or fewer style terms")


def row_slopes(rows: Rows, at: Floats, ties: Ties) -> Slopes:
    beta = at[rows.m : rows.m + rows.x.shape[1]]
    d = at[rows.a] - at[rows.b] + rows.x @ beta
    if ties == "half":
        p = _sigmoid(d)
        none = np.zeros(0)
        return Slopes(rows.weight * (rows.outcome - p), rows.weight * p * (1 - p), none, none, none)
    # Scaled by the larger of the two, so that nothing overflows.
    won, lost = np.exp(np.minimum(d, 0)), np.exp(np.minimum(-d, 0))
    drawn = np.exp(at[-1] - np.abs(d) / 2)
    total = won + lost + drawn
    edge, p_tie = (won - lost) / total, drawn / total
    return Slopes(
        rows.weight * (rows.outcome - 0.5 - edge / 2),
        rows.weight * (1 - p_tie - edge**2) / 4,
        rows.weight * ((rows.outcome == 0.5) - p_tie),
        rows.weight * p_tie * (1 - p_tie),
        -rows.weight * p_tie * edge / 2,
    )


def summed(rows: Rows, slopes: Slopes, ties: Ties) -> Floats:
    """The gradient."""
    theta = np.bincount(rows.a, slopes.d, rows.m) - np.bincount(rows.b, slopes.d, rows.m)
    nu = [slopes.nu.sum()] if ties == "davidson" else []
    return np.concatenate([theta, rows.x.T @ slopes.d, nu])


def information(rows: Rows, slopes: Slopes, ties: Ties) -> Floats:
    """Minus the second derivatives."""
    m, k = rows.m, rows.x.shape[1]
    pairs = np.bincount(rows.a * m + rows.b, slopes.dd, m * m).reshape(m, m)
    pairs = pairs + pairs.T
    found = np.zeros((m + k + (ties == "davidson"),) * 2)
    found[:m, :m] = np.diag(pairs.sum(1)) - pairs
    columns = [(m + at, rows.x[:, at] * slopes.dd) for at in range(k)]
    if ties == "davidson":
        columns.append((m + k, slopes.dnu))
        found[-1, -1] = slopes.nunu.sum()
        found[m : m + k, -1] = found[-1, m : m + k] = rows.x.T @ slopes.dnu
    for column, values in columns:
        cross = np.bincount(rows.a, values, m) - np.bincount(rows.b, values, m)
        found[:m, column] = found[column, :m] = cross
    found[m : m + k, m : m + k] = (rows.x * slopes.dd[:, None]).T @ rows.x
    return found


def _penalty(rows: Rows, ridge: float, size: int) -> Floats:
    penalty = np.zeros(size)
    penalty[rows.m : rows.m + rows.x.shape[1]] = ridge
    return penalty


def _inverse(found: Floats, penalty: Floats, m: int) -> Floats:
    """Inverted on the space where θ sums to zero. A pseudo-inverse would take the rounded zero for a small number."""
    flat = np.zeros(found.shape)
    flat[:m, :m] = 1.0 / m
    if found.shape[0] > m and np.linalg.cond(found + flat) > SINGULAR:
        raise OutputError("a style term, or the first position, cannot be told from the models themselves")
    return np.asarray(np.linalg.inv(found + penalty + flat) - flat)


def _sigmoid(d: Floats) -> Floats:
    small = np.exp(-np.abs(d))
    return np.asarray(np.where(d >= 0, 1, small) / (1 + small))
