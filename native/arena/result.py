"""The rows of an arena in ``report.json``: one per metric, model and category."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any, Literal

import numpy as np

from bridge.native.arena.decide import DISAGREE
from bridge.native.arena.outcome import Outcome
from bridge.native.arena.ratings import Rated, Ratings
from bridge.native.arena.scores import Scored, Scores, scored
from bridge.native.arena.settings import RatingRun
from bridge.native.arena.votes import NO_VERDICT
from bridge.native.arena.win_rate import WinRate
from bridge.report.schema import ResultRow, Status

BACKEND = "arena"
OTHER_GROUP = "never compared with the anchor's group: its rating is on a scale of its own (see arena.models)"
ELO_NOTE = "depends on the order of the battles: the same verdicts shuffled move it by about 'spread'; not to be quoted"


def pairwise_rows(found: Outcome, common: dict[str, Any]) -> list[ResultRow]:
    """``common`` goes into the settings of each row."""
    return [row for model in _in_order(found) for row in _rows_of_model(found, model, common)]


def score_rows(found: Scores, run: RatingRun, common: dict[str, Any]) -> list[ResultRow]:
    """Of single mode: overall, by category, by turn."""
    parts: list[tuple[str | None, list[Scored]]] = [(None, scored(found))]
    names = found.names["category"]
    used = [number for number in np.unique(found.category) if names[number]]
    parts += [(names[number], scored(found, found.category == number)) for number in used if len(used) > 1]
    turns = np.unique(found.turn)
    parts += [(f"turn {turn}", scored(found, found.turn == turn)) for turn in turns if len(turns) > 1]
    rows = [_score_row(one, run, common, subset) for subset, scores in parts for one in scores]
    place = {name: at for at, name in enumerate(run.models)}
    return sorted(rows, key=lambda row: place.get(row.model, len(place)))


def _score_row(one: Scored, run: RatingRun, common: dict[str, Any], subset: str | None) -> ResultRow:
    low, high = run.block.scale
    estimate = one.estimate
    return _row(
        run.dataset,
        one.model,
        "score",
        estimate.value,
        common,
        unit="points",
        subset=subset,
        bounds=(low, high),
        stderr=estimate.stderr,
        ci95=estimate.ci95,
        n=estimate.n,
        n_errors=one.n_errors,
        primary=subset is None,
        reason=None if estimate.value is not None else "no answer has a score",
    )


def _in_order(found: Outcome) -> list[str]:
    """The spec's order, then what only the battles know."""
    return list(dict.fromkeys([*found.run.models, *found.rows.models]))


def _rows_of_model(found: Outcome, model: str, common: dict[str, Any]) -> Iterator[ResultRow]:
    rated = _find(found.ratings, model)
    yield _rating_row(found, model, rated, common, "rating", None, primary=True)
    for win in found.win_rates:
        if win.model == model:
            yield _win_row(found, win, common, None)
            yield _adjusted_row(found, win, common)
    if found.style is not None and found.run.block.rating.style:
        yield _rating_row(found, model, _find(found.style, model), common, "rating_style", None, primary=False)
    if found.elo is not None and rated is not None:
        at = found.rows.models.index(model)
        settings = {**common, "note": ELO_NOTE, "k": 32, "spread": float(found.elo.spread[at])}
        value = float(found.elo.rating[at])
        yield _row(found.run.dataset, model, "elo", value, settings, unit="rating", n=rated.n)
    for name, ratings in found.by_category.items():
        part = _find(ratings, model)
        if part is not None and part.n:
            yield _rating_row(found, model, part, common, "rating", name, primary=False)
        for win in found.wins_by_category[name]:
            if win.model == model:
                yield _win_row(found, win, common, name)


def _find(ratings: Ratings, model: str) -> Rated | None:
    return next((rated for rated in ratings.models if rated.model == model), None)


def _rating_row(
    found: Outcome,
    model: str,
    rated: Rated | None,
    common: dict[str, Any],
    metric: str,
    subset: str | None,
    *,
    primary: bool,
) -> ResultRow:
    lost = undecided(found, model) if primary else 0
    if rated is None:
        reason = "no decided comparison"
        return _row(
            found.run.dataset, model, metric, None, common, unit="rating", primary=primary, n_errors=lost, reason=reason
        )
    elsewhere = rated.component != 0
    is_95 = found.run.block.rating.ci.level == 0.95
    place = ("component", "rank", "rank_low", "rank_high", "unbounded", "bound")
    settings = {**common, **{name: getattr(rated, name) for name in place}}
    settings |= {} if is_95 or elsewhere else {"interval": rated.interval}
    return _row(
        found.run.dataset,
        model,
        metric,
        None if elsewhere else rated.rating,
        settings,
        unit="rating",
        subset=subset,
        stderr=None if elsewhere else rated.stderr,
        ci95=rated.interval if is_95 and not elsewhere else None,
        n=rated.n,
        n_errors=lost,
        primary=primary,
        reason=rated.reason if rated.rating is None else OTHER_GROUP if elsewhere else rated.reason,
    )


def _win_row(found: Outcome, win: WinRate, common: dict[str, Any], subset: str | None) -> ResultRow:
    estimate = win.estimate
    return _row(
        found.run.dataset,
        win.model,
        "win_rate",
        estimate.value,
        {**common, "baseline": win.baseline, "wins": win.wins, "losses": win.losses, "ties": win.ties},
        unit="fraction",
        subset=subset,
        bounds=(0.0, 1.0),
        stderr=estimate.stderr,
        ci95=within(estimate.ci95),
        n=estimate.n,
    )


def _adjusted_row(found: Outcome, win: WinRate, common: dict[str, Any]) -> ResultRow:
    value, stderr = adjusted(found, win)
    reason = None if value is not None else found.style_reason or "no rating at equal style, or several baselines"
    ci95 = None if value is None or stderr is None else within((value - 1.96 * stderr, value + 1.96 * stderr))
    terms = [term.name for term in found.style.terms] if found.style else []
    return _row(
        found.run.dataset,
        win.model,
        "win_rate_adjusted",
        value,
        {**common, "baseline": win.baseline, "at_equal": terms},
        unit="fraction",
        bounds=(0.0, 1.0),
        stderr=stderr,
        ci95=ci95,
        n=win.estimate.n,
        reason=reason,
    )


def adjusted(found: Outcome, win: WinRate) -> tuple[float | None, float | None]:
    """The chance to beat the baseline with an answer of equal style, and its standard error."""
    style, points = found.style, found.run.block.rating.scale / math.log(10)
    if style is None or win.baseline not in found.rows.models or not style.scales:
        return None, None
    scale = style.scales[0]
    at = {int(model): place for place, model in enumerate(scale.members)}
    model, base = (at.get(found.rows.models.index(name)) for name in (win.model, win.baseline))
    if model is None or base is None:
        return None, None
    p = 1 / (1 + math.exp(-(scale.rating[model] - scale.rating[base]) / points))
    variance = scale.cov[model, model] + scale.cov[base, base] - 2 * scale.cov[model, base]
    return float(p), float(p * (1 - p) * math.sqrt(max(0.0, variance)) / points)


def undecided(found: Outcome, model: str) -> int:
    """Comparisons of this model that an error left without a winner; judges that disagree are none."""
    decisions = found.decisions
    names = decisions.names["model"]
    if model not in names:
        return 0
    at = names.index(model)
    own = (decisions["model_a"] == at) | (decisions["model_b"] == at)
    return int((own & (decisions["winner"] == NO_VERDICT) & (decisions["rule"] != DISAGREE)).sum())


def within(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if interval is None else (max(0.0, interval[0]), min(1.0, interval[1]))


def _row(
    dataset: str,
    model: str,
    metric: str,
    value: float | None,
    settings: dict[str, Any],
    *,
    unit: Literal["rating", "fraction", "points"],
    subset: str | None = None,
    bounds: tuple[float | None, float | None] = (None, None),
    stderr: float | None = None,
    ci95: tuple[float, float] | None = None,
    n: int = 0,
    n_errors: int = 0,
    primary: bool = False,
    reason: str | None = None,
) -> ResultRow:
    lacking = Status.FAILED if n_errors and value is None else Status.PARTIAL
    return ResultRow(
        model=model,
        backend=BACKEND,
        backend_version=version("evalbridge"),
        dataset=dataset,
        subset=subset,
        metric=metric,
        value=value,
        unit=unit,
        min_value=bounds[0],
        max_value=bounds[1],
        primary=primary,
        n=n,
        n_errors=n_errors,
        stderr=stderr,
        ci95=ci95,
        settings={name: kept for name, kept in settings.items() if kept is not None},
        status=lacking if n_errors or value is None else Status.COMPLETE,
        reason=reason,
        source="decisions.jsonl" if unit != "points" else "battles.jsonl",
    )


def rated_models(found: Outcome) -> Sequence[Rated]:
    """By component, best first; without a rating last."""
    return sorted(
        found.ratings.models,
        key=lambda one: (one.component, -(one.rating if one.rating is not None else -1e9), one.model),
    )
