"""From decided comparisons to a table of ratings: component by component, with intervals that respect the questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bridge.arena_spec import RatingSpec
from bridge.errors import OutputError
from bridge.native.arena.bootstrap import bootstrap
from bridge.native.arena.clusters import Clusters, clusters, covariance
from bridge.native.arena.comparisons import STYLES, Comparisons, Floats, Integers
from bridge.native.arena.components import Component, Unbounded, components
from bridge.native.arena.fit import Fit, Rows, Ties, fit
from bridge.native.arena.ranks import place_ranges, places
from bridge.native.arena.unbounded import PRIOR, bound, placed, wins_table
from bridge.report.distributions import t_quantile

BASE = 1000.0
FEW = 50_000
"""Up to so many comparisons the intervals are bootstrapped unless the spec says otherwise."""
RIDGE = 0.5
"""On standardised style terms, as FastChat has it."""
NO_MATCH = "never compared with any other model"
ALONE = "nobody has both won and lost against it: it stands for the scale, and has no interval"
NO_SPREAD = "no spread: the comparisons do not differ from question to question"
ONE_QUESTION = "one question: how sure the rating is cannot be told"


@dataclass(frozen=True)
class Rated:
    """One model; ``rating`` in points on the scale of its component alone."""

    model: str
    component: int
    """0 is the one that holds the most comparisons."""
    rating: float | None
    stderr: float | None
    interval: tuple[float, float] | None
    unbounded: Unbounded | None
    """It never lost against the rest (above), or never won (below): the rating is a prior's, the side is open."""
    bound: float | None
    """Of an unbounded model: where the interval ends on its closed side."""
    rank: int | None
    rank_low: int | None
    rank_high: int | None
    n: int
    wins: int
    ties: int
    losses: int
    reason: str | None


@dataclass(frozen=True)
class Term:
    """A covariate: by how many points a model leads that has one standard deviation more of it."""

    name: str
    points: float
    stderr: float | None


@dataclass(frozen=True)
class Scale:
    """The finite part of a component: θ and its covariance in points, for comparisons of pairs."""

    members: Integers
    rating: Floats
    cov: Floats


@dataclass(frozen=True)
class Ratings:
    models: tuple[Rated, ...]
    """In the order of ``Comparisons.models``."""
    components: tuple[Component, ...]
    scales: tuple[Scale, ...]
    method: str
    """``bootstrap`` or ``sandwich``."""
    n_questions: int
    terms: tuple[Term, ...] = ()
    nu: float | None = None
    """Davidson's ν of the first component: how likely ties are."""
    left_out: int = 0
    """Comparisons without what a style term needs."""
    notes: tuple[str, ...] = field(default=())


def rate(
    rows: Comparisons,
    how: RatingSpec,
    *,
    anchors: dict[str, float] | None = None,
    style: Sequence[str] = (),
    first_position: bool = False,
) -> Ratings:
    """``style`` are names of ``STYLES``; comparisons that lack one are left out. Raises OutputError where a term
    cannot be told from the models, or two anchors contradict each other.
    """
    known = np.asarray(~np.isnan(rows.style[:, [STYLES.index(name) for name in style]]).any(1), np.bool_)
    left_out = int((~known).sum())
    rows = rows.only(known) if left_out else rows
    x, names = _covariates(rows, style, first_position)
    anchor_at = _anchors(rows, anchors if anchors is not None else how.anchor or {})
    parts = components(rows, tuple(anchor_at))
    method = _method(how, len(rows), x)
    tables = [_part(rows, x, part, anchor_at, how, method) for part in parts]
    rated = _merged(rows, parts, tables)
    main = tables[0] if tables else None
    return Ratings(
        models=tuple(rated),
        components=tuple(parts),
        scales=tuple(table.scale for table in tables),
        method=method,
        n_questions=len(np.unique(rows.question)),
        terms=_terms(main, names, how) if main else (),
        nu=main.nu if main else None,
        left_out=left_out,
    )


@dataclass(frozen=True)
class _Part:
    scale: Scale
    rating: dict[int, float | None]
    stderr: dict[int, float | None]
    interval: dict[int, tuple[float, float] | None]
    bound: dict[int, float | None]
    reason: dict[int, str]
    beta: Floats
    beta_cov: Floats
    nu: float | None


def _covariates(rows: Comparisons, style: Sequence[str], first_position: bool) -> tuple[Floats, list[str]]:
    """Each divided by its root mean square, not centred: exchanging a and b must turn the sign and nothing else."""
    columns = [rows.style[:, STYLES.index(name)] for name in style]
    if first_position:
        columns.append(rows.first)
    names = [*style, *(["first position"] if first_position else [])]
    found = np.stack(columns, 1) if columns else np.zeros((len(rows), 0))
    size = np.sqrt((found**2).mean(0)) if len(rows) else np.ones(found.shape[1])
    used = size > 0
    return found[:, used] / size[used], [name for name, is_used in zip(names, used, strict=True) if is_used]


def _anchors(rows: Comparisons, anchors: dict[str, float]) -> dict[int, float]:
    at = {name: number for number, name in enumerate(rows.models)}
    if missing := sorted(set(anchors).difference(at)):
        raise OutputError(f"anchor {missing[0]!r} is no model here; there are: {', '.join(rows.models[:8])}")
    return {at[name]: value for name, value in anchors.items()}


def _method(how: RatingSpec, n: int, x: Floats) -> str:
    closed_form_only = x.shape[1] > 0 or how.ties == "davidson"
    if how.ci.method == "auto":
        return "sandwich" if closed_form_only or n > FEW else "bootstrap"
    return "sandwich" if closed_form_only else how.ci.method


def _part(
    rows: Comparisons, x: Floats, part: Component, anchors: dict[int, float], how: RatingSpec, method: str
) -> _Part:
    core = np.array(part.core)
    groups = clusters(rows, x, core, by_question=how.ci.cluster == "question")
    fitted = _fitted(groups, how)
    cov = covariance(fitted, groups) if groups.n > 1 else np.full((len(fitted.parameters),) * 2, np.nan)
    to_points = how.scale / math.log(10)
    shift, turn = _anchoring(core, anchors, fitted.theta, to_points)
    m = len(core)
    scale = Scale(core, fitted.theta * to_points + shift, turn @ cov[:m, :m] @ turn.T * to_points**2)
    rating, stderr, interval, reason = _core_table(scale, groups, fitted, turn, to_points, how, method, anchors)
    found = _Part(scale, rating, stderr, interval, {}, reason, fitted.beta, cov[m:, m:], _nu(fitted))
    _place_unbounded(found, rows, part, fitted, how, to_points, shift)
    return found


def _fitted(groups: Clusters, how: RatingSpec) -> Fit:
    rows = groups.totals
    if isinstance(how.prior, float) and how.prior > 0:
        rows = _with_prior(rows, how.prior)
    tied = rows.weight[rows.outcome == 0.5].sum()
    # Without a tie, or with nothing but ties, ν has no finite value.
    ties: Ties = how.ties if 0 < tied < rows.weight.sum() else "half"
    return fit(rows, ties=ties, ridge=RIDGE if rows.x.shape[1] else 0.0)


def _with_prior(rows: Rows, prior: float) -> Rows:
    pairs = np.unique(np.stack([np.minimum(rows.a, rows.b), np.maximum(rows.a, rows.b)], 1), axis=0)
    n = len(pairs)
    return Rows(
        np.concatenate([rows.a, pairs[:, 0]]),
        np.concatenate([rows.b, pairs[:, 1]]),
        np.concatenate([rows.outcome, np.full(n, 0.5)]),
        np.concatenate([rows.weight, np.full(n, prior)]),
        np.concatenate([rows.x, np.zeros((n, rows.x.shape[1]))]),
        rows.m,
    )


def _anchoring(core: Integers, anchors: dict[int, float], theta: Floats, to_points: float) -> tuple[float, Floats]:
    """What to add to θ in points, and the matrix that takes the anchor's uncertainty out of everybody's."""
    own = [model for model in anchors if model in core]
    m = len(core)
    if len(own) > 1:
        raise OutputError("two anchors are joined by comparisons, and only one can be fixed; give one of them")
    if not own:
        return BASE, np.eye(m) - 1 / m
    at = int(np.flatnonzero(core == own[0])[0])
    turn = np.eye(m)
    turn[:, at] -= 1
    return anchors[own[0]] - float(theta[at]) * to_points, turn


def _core_table(
    scale: Scale,
    groups: Clusters,
    fitted: Fit,
    turn: Floats,
    to_points: float,
    how: RatingSpec,
    method: str,
    anchors: dict[int, float],
) -> tuple[dict[int, float | None], dict[int, float | None], dict[int, tuple[float, float] | None], dict[int, str]]:
    rating: dict[int, float | None] = {}
    stderr: dict[int, float | None] = {}
    interval: dict[int, tuple[float, float] | None] = {}
    reason: dict[int, str] = {}
    spread = np.sqrt(np.maximum(np.diag(scale.cov), 0))
    bounds = _bounds(scale, groups, fitted, turn, to_points, how, method, spread)
    for at, model in enumerate(map(int, scale.members)):
        rating[model], stderr[model], interval[model] = float(scale.rating[at]), None, None
        if len(scale.members) == 1:
            reason[model] = ALONE
            continue
        if model in anchors:
            stderr[model], interval[model] = 0.0, (anchors[model], anchors[model])
        elif groups.n < 2:
            reason[model] = ONE_QUESTION
        elif spread[at] < 1e-9:
            reason[model] = NO_SPREAD
        else:
            stderr[model], interval[model] = float(spread[at]), (float(bounds[0][at]), float(bounds[1][at]))
    return rating, stderr, interval, reason


def _bounds(
    scale: Scale,
    groups: Clusters,
    fitted: Fit,
    turn: Floats,
    to_points: float,
    how: RatingSpec,
    method: str,
    spread: Floats,
) -> NDArray[np.float64]:
    tail = (1 - how.ci.level) / 2
    if groups.n < 2 or len(scale.members) < 2:
        return np.full((2, len(scale.members)), np.nan)
    if method == "sandwich":
        reach = t_quantile(1 - tail, groups.n - 1) * spread
        return np.stack([scale.rating - reach, scale.rating + reach])
    drawn = bootstrap(groups, fitted.theta, how.ci.resamples, how.ci.seed) @ turn.T * to_points
    moved = drawn + (scale.rating - turn @ fitted.theta * to_points)
    return np.percentile(moved, [100 * tail, 100 * (1 - tail)], axis=0)


def _nu(fitted: Fit) -> float | None:
    return float(np.exp(fitted.parameters[-1])) if fitted.ties == "davidson" else None


def _place_unbounded(
    found: _Part, rows: Comparisons, part: Component, fitted: Fit, how: RatingSpec, to_points: float, shift: float
) -> None:
    free = np.array(sorted(part.unbounded), np.int64)
    if not len(free):
        return
    prior = PRIOR if how.prior == "auto" else float(how.prior)
    theta = np.zeros(len(rows.models))
    theta[list(part.core)] = fitted.theta
    if prior:
        theta = placed(wins_table(rows), theta, free, prior)
    core = np.array(part.core)
    for model in map(int, free):
        side = part.unbounded[model]
        word = "lost" if side == "above" else "won"
        edge = bound(rows, model, side, theta, core, (1 - how.ci.level) / 2)
        found.rating[model] = float(theta[model] * to_points + shift) if prior else None
        found.stderr[model] = found.interval[model] = None
        found.bound[model] = None if edge is None else edge * to_points + shift
        found.reason[model] = f"never {word} against the rest: no end to that side" + (
            f"; placed by {prior:g} pseudo-ties for each pair" if prior else "; without a prior there is no rating"
        )


def _merged(rows: Comparisons, parts: Sequence[Component], tables: Sequence[_Part]) -> list[Rated]:
    found: dict[int, Rated] = {}
    counts = _counts(rows)
    for number, (part, table) in enumerate(zip(parts, tables, strict=True)):
        ranks = _ranks(part, table)
        for model in part.members:
            alone = len(part.members) == 1
            rank, low, high = ranks.get(model, (None, None, None))
            wins, ties, losses = (int(count[model]) for count in counts)
            found[model] = Rated(
                model=rows.models[model],
                component=number,
                rating=None if alone else table.rating[model],
                stderr=table.stderr[model],
                interval=table.interval[model],
                unbounded=part.unbounded.get(model),
                bound=table.bound.get(model),
                rank=None if alone else rank,
                rank_low=None if alone else low,
                rank_high=None if alone else high,
                n=wins + ties + losses,
                wins=wins,
                ties=ties,
                losses=losses,
                reason=NO_MATCH if alone else table.reason.get(model),
            )
    return [found[model] for model in range(len(rows.models))]


def _ranks(part: Component, table: _Part) -> dict[int, tuple[int, int | None, int | None]]:
    members = [model for model in part.members if table.rating[model] is not None]
    values = [float(table.rating[model] or 0.0) for model in members]
    ranges = place_ranges([_reach(model, part, table) for model in members])
    return {model: (rank, low, high) for model, rank, (low, high) in zip(members, places(values), ranges, strict=True)}


def _reach(model: int, part: Component, table: _Part) -> tuple[float, float]:
    side, edge = part.unbounded.get(model), table.bound.get(model)
    if side == "above":
        return (-math.inf if edge is None else edge, math.inf)
    if side == "below":
        return (-math.inf, math.inf if edge is None else edge)
    return table.interval[model] or (-math.inf, math.inf)


def _counts(rows: Comparisons) -> tuple[Integers, Integers, Integers]:
    m = len(rows.models)
    won = np.bincount(rows.a, rows.outcome == 1, m) + np.bincount(rows.b, rows.outcome == 0, m)
    tied = np.bincount(rows.a, rows.outcome == 0.5, m) + np.bincount(rows.b, rows.outcome == 0.5, m)
    lost = np.bincount(rows.b, rows.outcome == 1, m) + np.bincount(rows.a, rows.outcome == 0, m)
    return won.astype(np.int64), tied.astype(np.int64), lost.astype(np.int64)


def _terms(table: _Part, names: Sequence[str], how: RatingSpec) -> tuple[Term, ...]:
    to_points = how.scale / math.log(10)
    spread = np.sqrt(np.maximum(np.diag(table.beta_cov), 0))[: len(names)]
    return tuple(
        Term(name, float(beta * to_points), None if math.isnan(se) else float(se * to_points))
        for name, beta, se in zip(names, table.beta, spread, strict=True)
    )
