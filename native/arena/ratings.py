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
    plan = _Plan(how, method, anchor_at)
    tables = [_part(rows, x, part, plan) for part in parts]
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
class _Plan:
    how: RatingSpec
    method: str
    anchors: dict[int, float]

    @property
    def to_points(self) -> float:
        return self.how.scale / math.log(10)

    @property
    def tail(self) -> float:
        """Of an interval, to each side."""
        return (1 - self.how.ci.level) / 2


@dataclass(frozen=True)
class _Core:
    """The part of a component that the likelihood alone rates."""

    groups: Clusters
    fitted: Fit
    scale: Scale
    shift: float
    """From θ in points to ratings."""
    turn: Floats
    """What takes the anchor's uncertainty out of everybody's."""


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


def _part(rows: Comparisons, x: Floats, part: Component, plan: _Plan) -> _Part:
    core = _core(rows, x, np.array(part.core), plan)
    m, fitted = len(part.core), core.fitted
    cov = covariance(fitted, core.groups) if core.groups.n > 1 else np.full((len(fitted.parameters),) * 2, np.nan)
    found = _Part(core.scale, {}, {}, {}, {}, {}, fitted.beta, cov[m:, m:], _nu(fitted))
    _rate_core(found, core, plan)
    if part.unbounded:
        _place_unbounded(found, rows, part, core, plan)
    return found


def _core(rows: Comparisons, x: Floats, members: Integers, plan: _Plan) -> _Core:
    groups = clusters(rows, x, members, by_question=plan.how.ci.cluster == "question")
    fitted = _fitted(groups, plan.how)
    m = len(members)
    cov = covariance(fitted, groups)[:m, :m] if groups.n > 1 else np.full((m, m), np.nan)
    shift, turn = _anchoring(members, plan.anchors, fitted.theta, plan.to_points)
    scale = Scale(members, fitted.theta * plan.to_points + shift, turn @ cov @ turn.T * plan.to_points**2)
    return _Core(groups, fitted, scale, shift, turn)


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


def _rate_core(found: _Part, core: _Core, plan: _Plan) -> None:
    scale = core.scale
    spread = np.sqrt(np.maximum(np.diag(scale.cov), 0))
    bounds = _bounds(core, spread, plan)
    for at, model in enumerate(map(int, scale.members)):
        found.rating[model], found.stderr[model], found.interval[model] = float(scale.rating[at]), None, None
        if len(scale.members) == 1:
            found.reason[model] = ALONE
        elif model in plan.anchors:
            found.stderr[model], found.interval[model] = 0.0, (plan.anchors[model], plan.anchors[model])
        elif core.groups.n < 2:
            found.reason[model] = ONE_QUESTION
        elif spread[at] < 1e-9:
            found.reason[model] = NO_SPREAD
        else:
            found.stderr[model] = float(spread[at])
            found.interval[model] = float(bounds[0][at]), float(bounds[1][at])


def _bounds(core: _Core, spread: Floats, plan: _Plan) -> NDArray[np.float64]:
    scale, fitted = core.scale, core.fitted
    if core.groups.n < 2 or len(scale.members) < 2:
        return np.full((2, len(scale.members)), np.nan)
    if plan.method == "sandwich":
        reach = t_quantile(1 - plan.tail, core.groups.n - 1) * spread
        return np.stack([scale.rating - reach, scale.rating + reach])
    drawn = bootstrap(core.groups, fitted.theta, plan.how.ci.resamples, plan.how.ci.seed)
    moved = (drawn - fitted.theta) @ core.turn.T * plan.to_points + scale.rating
    return np.percentile(moved, [100 * plan.tail, 100 * (1 - plan.tail)], axis=0)


def _nu(fitted: Fit) -> float | None:
    return float(np.exp(fitted.parameters[-1])) if fitted.ties == "davidson" else None


def _place_unbounded(found: _Part, rows: Comparisons, part: Component, core: _Core, plan: _Plan) -> None:
    free, members = np.array(sorted(part.unbounded)), np.array(part.core)
    prior = PRIOR if plan.how.prior == "auto" else float(plan.how.prior)
    theta = np.zeros(len(rows.models))
    theta[members] = core.fitted.theta
    if prior:
        theta = placed(wins_table(rows), theta, free, prior)
    for model in map(int, free):
        side = part.unbounded[model]
        edge = bound(rows, model, side, theta, members, plan.tail)
        found.rating[model] = float(theta[model] * plan.to_points + core.shift) if prior else None
        found.stderr[model] = found.interval[model] = None
        found.bound[model] = None if edge is None else edge * plan.to_points + core.shift
        how = f"placed by {prior:g} pseudo-ties for each pair" if prior else "without a prior there is no rating"
        word = "lost" if side == "above" else "won"
        found.reason[model] = f"never {word} against the rest: no end to that side; {how}"


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
