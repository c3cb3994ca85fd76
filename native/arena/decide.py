"""From battles to decisions: both orders of a judge, its repeats, and all judges become one verdict per comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from bridge.arena_spec import ArenaBlock
from bridge.errors import OutputError
from bridge.native.arena.comparisons import STYLES, Comparisons, balance
from bridge.native.arena.votes import MARKS, NO_VERDICT, NONE, Column, Votes

RULES = (
    "decided",
    "no verdict",
    "orders disagree",
    "an order is missing",
    "quorum not reached",
)
DECIDED, NO_JUDGE, DISAGREE, HALF, NO_QUORUM = range(len(RULES))
BOTH_ORDERS = (0, 3)
"""Kinds of judges that are asked in both orders where the spec says so: models, and their dry run."""
HUMAN = 1
NOT_ASKED = 3
"""The error of a battle that was not played, because an answer is missing."""


@dataclass(frozen=True)
class Decisions:
    """One value per comparison (question × pair × turn) in each column."""

    names: dict[str, tuple[str, ...]]
    columns: dict[str, Column]
    superseded: int
    """Battles that a later row of the same call replaced."""
    stale: int
    """Battles about answers that have since changed."""

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.columns["question"])

    @property
    def undecided(self) -> Column:
        return np.asarray(self["winner"] == NO_VERDICT)


@dataclass(frozen=True)
class Voices:
    """One value per judge (or annotator) and comparison."""

    comparison: Column
    judge: Column
    verdict: Column
    strong: Column
    consistent: Column
    """1: the same in both orders, 0: not, -1: not asked in both."""
    first: Column
    why: Column

    def of(self, judges: Sequence[bool]) -> Voices:
        """Those of these judges."""
        own = np.array(judges, np.bool_)[self.judge] if len(self.judge) else self.judge
        return Voices(*(getattr(self, field.name)[own] for field in fields(self)))


@dataclass(frozen=True)
class Heard:
    """Battles that count, sorted by comparison, and what each judge makes of each comparison."""

    votes: Votes
    comparison: Column
    voices: Voices
    superseded: int
    stale: int


def decide(heard: Heard, block: ArenaBlock, judges: Sequence[str] = ()) -> Decisions:
    """``judges``: whose votes count, all where it is empty."""
    voices = heard.voices.of([name in judges for name in heard.votes.names["judge"]]) if judges else heard.voices
    # Of whom nobody says that they were to judge everything, one is enough.
    quorum = block.panel.quorum or (len(judges) // 2 + 1 if judges else 1)
    present = voices.comparison[_starts(voices.comparison)]
    about = {name: values[present] for name, values in _about(heard.votes, heard.comparison).items()}
    made = _panel(voices, block, quorum)
    return Decisions(dict(heard.votes.names), {**about, **made}, heard.superseded, heard.stale)


def hear(votes: Votes, block: ArenaBlock) -> Heard:
    """Raises OutputError where one call has two verdicts."""
    votes = Votes(votes.names, {**votes.columns, "row": np.arange(len(votes), dtype=np.int32)})
    votes = votes.only(votes["model_b"] != NONE)
    fresh = _fresh(votes)
    stale = int((~fresh).sum())
    votes = votes.only(fresh)
    votes = Votes(votes.names, {name: votes[name] for name in votes.columns if not name.startswith("answer_")})
    comparison = _comparison(votes)
    kept, superseded = _latest(votes, comparison)
    votes, comparison = votes.only(kept), comparison[kept]
    return Heard(votes, comparison, _voices(votes, comparison, block), superseded, stale)


def comparisons_of(decisions: Decisions) -> Comparisons:
    """The decided ones in the order of their battles, for the ratings; models are in alphabetical order."""
    models = decisions.names["model"]
    order = np.argsort(np.array(models, dtype=object)) if models else np.zeros(0, np.int64)
    at = np.empty(len(models), np.int64)
    at[order] = np.arange(len(models))
    kept = np.flatnonzero(~decisions.undecided)
    kept = kept[np.argsort(decisions["row"][kept], kind="stable")]
    names = decisions.names["category"]
    empty = names.index("") if "" in names else NONE
    category = decisions["category"][kept].astype(np.int64)
    return Comparisons(
        models=tuple(models[number] for number in order),
        questions=decisions.names["question"],
        categories=names,
        question=decisions["question"][kept].astype(np.int64),
        category=np.where(category == empty, -1, category),
        a=at[decisions["model_a"][kept]],
        b=at[decisions["model_b"][kept]],
        outcome=(decisions["winner"][kept] + 1) / 2,
        weight=decisions["weight"][kept],
        style=_styles(decisions)[kept],
        first=decisions["first"][kept],
    )


def _fresh(votes: Votes) -> Column:
    """Which rows are about the answers that the latest row about the same model and question is about, of judges where
    there is one, else of people. Rows that do not say which answers they are about are taken as they are.
    """
    if not len(votes):
        return np.zeros(0, np.bool_)
    m, turns = len(votes.names["model"]), int(votes["turn"].max()) + 1
    place = votes["question"].astype(np.int64) * turns + votes["turn"]
    latest = np.zeros((int(place.max()) + 1) * m, np.int64)
    sides = np.stack([place * m + votes[side] for side in ("model_a", "model_b")], 1)
    answers = np.stack([votes["answer_a"], votes["answer_b"]], 1)
    told = answers != 0
    people = (votes["kind"] == HUMAN)[:, None]
    # Of places that come several times, numpy keeps the last.
    for rows in (told & people, told & ~people):
        latest[sides[rows]] = answers[rows]
    return np.asarray(((latest[sides] == answers) | ~told).all(1))


def _comparison(votes: Votes) -> Column:
    """The comparison that each row belongs to, numbered without gaps."""
    m = max(1, len(votes.names["model"]))
    turns = int(votes["turn"].max(initial=0)) + 1
    key = votes["question"].astype(np.int64) * turns + votes["turn"]
    return _dense((key * m + votes["model_a"]) * m + votes["model_b"])


def _unit(votes: Votes) -> Column:
    """Who votes: a judge, each annotator for himself."""
    return _dense(votes["judge"].astype(np.int64) * len(votes.names["annotator"]) + votes["annotator"])


def _latest(votes: Votes, comparison: Column) -> tuple[Column, int]:
    """Of rows about the same call the last that has a verdict, sorted; and how many were left out."""
    unit = _unit(votes)
    people = votes["kind"] == HUMAN
    first = np.where(people, 1, votes["first"])
    again = np.where(people, 0, votes["repeat"])
    has = votes["verdict"] != NO_VERDICT
    order = np.lexsort((np.arange(len(votes)), has, first, again, unit, comparison))
    keys = np.stack([comparison, unit, again, first], 1)[order]
    same = (keys[1:] == keys[:-1]).all(1) if len(order) else np.zeros(0, np.bool_)
    _refuse_contradictions(votes, order[:-1][same], order[1:][same], people)
    return order[np.append(~same, True)] if len(order) else order, int(same.sum())


def _refuse_contradictions(votes: Votes, before: Column, after: Column, people: Column) -> None:
    """People may change their mind; a judge's one answer cannot be read in two ways."""
    verdict, prompt = votes["verdict"], votes["prompt"]
    bad = (verdict[before] != verdict[after]) & (verdict[before] != NO_VERDICT) & ~people[after]
    bad &= prompt[before] == prompt[after]
    if bad.any():
        at = int(after[bad][0])
        names = votes.names
        raise OutputError(
            f"battles.jsonl: judge {names['judge'][votes['judge'][at]]} has two verdicts on question "
            f"{names['question'][votes['question'][at]]} ({names['model'][votes['model_a'][at]]} against "
            f"{names['model'][votes['model_b'][at]]}) in the same order; delete one, or number them by 'repeat'"
        )


def _voices(votes: Votes, comparison: Column, block: ArenaBlock) -> Voices:
    """Rows are sorted by comparison, unit, repeat, order."""
    unit = _unit(votes)
    call = _starts(comparison, unit, votes["repeat"])
    orders = _orders(votes, call, block)
    voice = _starts(comparison[call], unit[call])
    n = _sum(orders["verdict"] != NO_VERDICT, voice)
    most = [_sum((orders["verdict"] == verdict), voice) for verdict in (1, -1)]
    majority = np.where(2 * most[0] > n, 1, np.where(2 * most[1] > n, -1, 0))
    asked_twice = _sum(orders["consistent"] != NONE, voice)
    same = _sum(orders["consistent"] == 1, voice) == asked_twice
    return Voices(
        comparison=comparison[call][voice],
        judge=votes["judge"][call][voice],
        verdict=np.where(n > 0, majority, NO_VERDICT),
        strong=(_sum(orders["strong"], voice) == n) & (n > 0),
        consistent=np.where(asked_twice > 0, same, NONE),
        first=_sum(orders["first"] * (orders["verdict"] != NO_VERDICT), voice) / np.maximum(n, 1),
        why=np.maximum.reduceat(orders["why"], voice) if len(voice) else voice,
    )


def _orders(votes: Votes, call: Column, block: ArenaBlock) -> dict[str, Column]:
    """One value per judge, comparison and repeat: what both orders together say."""
    verdict, has = votes["verdict"].astype(np.int64), votes["verdict"] != NO_VERDICT
    n = _sum(has, call)
    low = _reduce(np.minimum, np.where(has, verdict, 9), call)
    high = _reduce(np.maximum, np.where(has, verdict, -9), call)
    asked = np.diff(np.append(call, len(verdict)))
    wanted = 1 + (np.isin(votes["kind"][call], BOTH_ORDERS) & (block.order == "both"))
    complete = n >= np.maximum(asked, wanted)
    agree = low == high
    settled = np.where(agree, low, 0 if block.on_disagreement == "tie" else NO_VERDICT)
    nobody = np.where(n == 0, NO_JUDGE, np.where(complete, DECIDED, HALF))
    return {
        "verdict": np.where(complete & (n > 0), settled, NO_VERDICT),
        "consistent": np.where(n >= 2, agree, NONE),
        "strong": agree & (_sum(has & (votes["strength"] == 2), call) == n) & (n > 0),
        "first": np.where(n == 1, _sum(votes["first"] * has, call), 0),
        "why": np.where((nobody == DECIDED) & ~agree & (block.on_disagreement == "drop"), DISAGREE, nobody),
    }


def _panel(voices: Voices, block: ArenaBlock, quorum: int) -> dict[str, Column]:
    starts = _starts(voices.comparison)
    has = voices.verdict != NO_VERDICT
    n = _sum(has, starts)
    counts = {name: _sum(voices.verdict == verdict, starts) for name, verdict in (("a", 1), ("b", -1), ("tie", 0))}
    enough = _judges(voices, has, starts) >= quorum
    needed = n if block.panel.rule == "unanimous" else n // 2 + 1
    winner = np.where(counts["a"] >= needed, 1, np.where(counts["b"] >= needed, -1, 0))
    why = _reduce(np.maximum, np.where(has, DECIDED, voices.why), starts)
    twice = _sum(voices.consistent != NONE, starts)
    strong = (_sum(voices.strong & has, starts) == n) & (winner != 0)
    return {
        "winner": np.where(enough & (n > 0), winner, NO_VERDICT),
        "rule": np.where(enough & (n > 0), DECIDED, np.where(n > 0, NO_QUORUM, why)),
        "consistent": np.where(twice > 0, _sum(voices.consistent == 1, starts) == twice, NONE),
        "weight": np.where(strong, block.strong_weight, 1.0),
        "first": _sum(voices.first * has, starts) / np.maximum(n, 1),
        "n_none": _sum(~has, starts),
        **{f"n_{name}": values for name, values in counts.items()},
    }


def _judges(voices: Voices, has: Column, starts: Column) -> Column:
    """How many judges have a verdict, all people under one name being one."""
    order = np.lexsort((~has, voices.judge, voices.comparison))
    new = np.zeros(len(order), np.bool_)
    new[_starts(voices.comparison[order], voices.judge[order])] = True
    return _sum(new & has[order], starts)


def _about(votes: Votes, comparison: Column) -> dict[str, Column]:
    starts = _starts(comparison)
    names = ["question", "category", "turn", "model_a", "model_b"]
    found = {name: votes[name][starts] for name in names}
    found["row"] = _reduce(np.minimum, votes["row"], starts)
    for name in ("len_a", "len_b", *(f"{mark}_{side}" for mark in MARKS for side in "ab")):
        found[name] = _reduce(np.maximum, votes[name], starts)
    return found


def _styles(decisions: Decisions) -> Column:
    columns = []
    for name in STYLES:
        a, b = (decisions[f"{'len' if name == 'length' else name}_{side}"] for side in "ab")
        columns.append(np.where((a == NONE) | (b == NONE), np.nan, balance(a, b)))
    return np.stack(columns, 1)


def _starts(*keys: Column) -> Column:
    """Where a run of equal keys begins."""
    if not len(keys[0]):
        return np.zeros(0, np.int64)
    changed = np.zeros(len(keys[0]), np.bool_)
    changed[0] = True
    for key in keys:
        changed[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(changed)


def _sum(values: Column, starts: Column) -> Column:
    return _reduce(np.add, values.astype(np.int64) if values.dtype == np.bool_ else values, starts)


def _reduce(operation: np.ufunc, values: Column, starts: Column) -> Column:
    return np.asarray(operation.reduceat(values, starts)) if len(starts) else values[:0]


def _dense(keys: Column) -> Column:
    return np.asarray(np.unique(keys, return_inverse=True)[1])
