"""Judges measured: does a verdict survive the swap, is the first or the longer answer preferred, do people agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bridge.arena_spec import ArenaBlock
from bridge.native.arena.agreement import cohen, fleiss, krippendorff
from bridge.native.arena.decide import HUMAN, Decisions, Heard, Voices, hear
from bridge.native.arena.votes import NO_VERDICT, NONE, Column, Votes

FAILED, UNPARSED, NOT_PLAYED = 1, 2, 3


@dataclass(frozen=True)
class Agreement:
    """Of a judge with the majority of people, comparison by comparison."""

    n: int
    accuracy: float
    accuracy_no_ties: float | None
    """Where neither says tie."""
    cohen: float | None


@dataclass(frozen=True)
class Judged:
    """One judge; shares are None where there is nothing to take them from."""

    judge: str
    kind: str
    calls: int
    unparsed: int
    failed: int
    not_played: int
    """Battles without an answer, which nobody was asked about."""
    ambiguous: int
    ties: float | None
    pairs: int
    """Comparisons with a verdict in both orders."""
    consistency: float | None
    kappa_orders: float | None
    first_position_share: float | None
    """Of verdicts that are no ties, on pairs of models shown both ways round, those for the answer shown first."""
    longer_share: float | None
    """Of verdicts that are no ties, on answers of different lengths, those for the longer one."""
    cost: float | None
    mean_latency_s: float | None
    with_people: Agreement | None


@dataclass(frozen=True)
class Panel:
    judges: int
    alpha: float | None
    fleiss: float | None


def judged(votes: Votes, block: ArenaBlock) -> list[Judged]:
    return measured(votes, hear(votes, block))


def measured(votes: Votes, heard: Heard) -> list[Judged]:
    """Every judge in ``votes``, of which ``heard`` is what counts; all people under one name together."""
    people = _people(heard)
    found = []
    for number, name in enumerate(votes.names["judge"]):
        own, rows = votes.only(votes["judge"] == number), heard.votes["judge"] == number
        if len(own):
            found.append(
                _judged(name, own, heard.votes.only(rows), heard.comparison[rows], _told(heard, number), people)
            )
    return found


def panel(decisions: Decisions) -> Panel | None:
    """Agreement within the panel; None where one judge alone decides."""
    counts = np.stack([decisions[f"n_{name}"] for name in ("a", "b", "tie")], 1).astype(np.int64)
    most = int(counts.sum(1).max(initial=0))
    if most < 2:
        return None
    return Panel(most, krippendorff(counts), fleiss(counts[counts.sum(1) == most]))


def _judged(name: str, own: Votes, votes: Votes, comparison: Column, told: Column, people: Column) -> Judged:
    verdict, first = votes["verdict"].astype(np.int64), votes["first"].astype(np.int64)
    settled = np.abs(verdict) == 1
    lengths = votes["len_a"].astype(np.int64) - votes["len_b"]
    turned = settled & _turned(votes)
    known = settled & (votes["len_a"] != NONE) & (votes["len_b"] != NONE) & (lengths != 0)
    before, after = _both_orders(votes, comparison)
    said = verdict[verdict != NO_VERDICT]
    kinds = ("llm", "human", "imported", "dry_run")
    return Judged(
        judge=name,
        kind=kinds[int(own["kind"][0])],
        calls=int((own["error"] != NOT_PLAYED).sum()),
        unparsed=int((own["error"] == UNPARSED).sum()),
        failed=int((own["error"] == FAILED).sum()),
        not_played=int((own["error"] == NOT_PLAYED).sum()),
        ambiguous=int(own["ambiguous"].sum()),
        ties=_share(said == 0),
        pairs=len(before),
        consistency=_share(before == after),
        kappa_orders=cohen(before, after),
        first_position_share=_share((verdict == first)[turned]),
        longer_share=_share((np.sign(lengths) == verdict)[known]),
        cost=_total(own["cost"]),
        mean_latency_s=_mean(own["latency_s"]),
        with_people=_agreement(told, people) if own["kind"][0] != HUMAN else None,
    )


def _turned(votes: Votes) -> Column:
    """Rows of pairs of models of which each was shown first at times: else place and model cannot be told apart."""
    m, first = len(votes.names["model"]), votes["first"]
    _, pair = np.unique(votes["model_a"].astype(np.int64) * m + votes["model_b"], return_inverse=True)
    ways = [np.bincount(pair, first == side) > 0 for side in (1, -1)]
    return np.asarray((ways[0] & ways[1])[pair] & (first != 0)) if len(pair) else np.zeros(0, np.bool_)


def _both_orders(votes: Votes, comparison: Column) -> tuple[Column, Column]:
    """The verdicts of calls that were made in both orders, side by side."""
    has = votes["verdict"] != NO_VERDICT
    verdict, first, again = (votes[name][has].astype(np.int64) for name in ("verdict", "first", "repeat"))
    own, annotator = comparison[has], votes["annotator"][has]
    order = np.lexsort((first, again, annotator, own))
    keys = np.stack([own, annotator, again], 1)[order]
    pairs = np.flatnonzero((keys[1:] == keys[:-1]).all(1) & (first[order][1:] != first[order][:-1]))
    return verdict[order][pairs], verdict[order][pairs + 1]


def _told(heard: Heard, judge: int) -> Column:
    return _majorities(heard.voices, heard.voices.judge == judge)


def _people(heard: Heard) -> Column:
    judges = np.unique(heard.votes["judge"][heard.votes["kind"] == HUMAN])
    return _majorities(heard.voices, np.isin(heard.voices.judge, judges))


def _majorities(voices: Voices, rows: Column) -> Column:
    """Of each comparison what more than half of these voices say, else a tie; NO_VERDICT where none says anything."""
    size = int(voices.comparison.max(initial=-1)) + 1
    rows = rows & (voices.verdict != NO_VERDICT)
    comparison, verdict = voices.comparison[rows], voices.verdict[rows]
    n, a, b = (
        np.bincount(comparison[which], minlength=size) for which in (verdict == verdict, verdict == 1, verdict == -1)
    )
    said = np.where(2 * a > n, 1, np.where(2 * b > n, -1, 0))
    return np.where(n > 0, said, NO_VERDICT)


def _agreement(told: Column, people: Column) -> Agreement | None:
    both = (told != NO_VERDICT) & (people != NO_VERDICT)
    if not both.any():
        return None
    one, other = told[both], people[both]
    no_ties = (one != 0) & (other != 0)
    return Agreement(len(one), float((one == other).mean()), _share((one == other)[no_ties]), cohen(one, other))


def _share(values: Column) -> float | None:
    return float(values.mean()) if len(values) else None


def _total(values: Column) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.sum()) if len(known) else None


def _mean(values: Column) -> float | None:
    return _share(values[~np.isnan(values)])
