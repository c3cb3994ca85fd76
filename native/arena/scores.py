"""Single mode: the mean score of each model, with the error of questions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.native.arena.votes import NONE, Column, Votes
from bridge.native.arena.win_rate import clustered_mean
from bridge.report.estimate import Estimate


@dataclass(frozen=True)
class Scores:
    """One value per model, question and turn: the mean over judges and repeats."""

    names: dict[str, tuple[str, ...]]
    model: Column
    question: Column
    turn: Column
    category: Column
    score: Column
    """NaN: no judge gave one."""


@dataclass(frozen=True)
class Scored:
    model: str
    estimate: Estimate
    n_errors: int
    """Answers without a score: the judge failed, its words held none, or there was no answer."""


def scores(votes: Votes) -> Scores:
    """Of rows about the same call the last with a score counts."""
    votes = votes.only(votes["model_b"] == NONE)
    votes = votes.only(_latest(votes))
    turns = int(votes["turn"].max(initial=0)) + 1
    m = max(1, len(votes.names["model"]))
    key = (votes["question"].astype(np.int64) * turns + votes["turn"]) * m + votes["model_a"]
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    has = ~np.isnan(votes["score_a"])
    n = np.bincount(place[has], minlength=len(first))
    total = np.bincount(place[has], votes["score_a"][has], len(first))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.asarray(total / n)
    picked = {name: votes[name][first] for name in ("model_a", "question", "turn", "category")}
    return Scores(dict(votes.names), picked["model_a"], picked["question"], picked["turn"], picked["category"], mean)


def scored(found: Scores, rows: Column | None = None) -> list[Scored]:
    """By model, of these rows alone."""
    chosen = np.ones(len(found.score), np.bool_) if rows is None else rows
    result = []
    for number, model in sorted(enumerate(found.names["model"]), key=lambda pair: pair[1]):
        own = chosen & (found.model == number)
        has = own & ~np.isnan(found.score)
        if own.any():
            estimate = clustered_mean(found.score[has], found.question[has])
            result.append(Scored(model, estimate, int(own.sum() - has.sum())))
    return result


def _latest(votes: Votes) -> Column:
    has = ~np.isnan(votes["score_a"])
    names = ("question", "turn", "model_a", "judge", "annotator", "repeat")
    keys = [votes[name] for name in names]
    order = np.lexsort((np.arange(len(votes)), has, *keys))
    if not len(order):
        return order
    same = np.all([key[order][1:] == key[order][:-1] for key in keys], axis=0)
    return np.asarray(np.sort(order[np.append(~same, True)]))
