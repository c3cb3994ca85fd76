"""``decisions.jsonl`` from columns and back, line by line, without an object for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import orjson

from bridge.native.arena.decide import DECIDED, RULES, Decisions
from bridge.native.arena.votes import MARKS, NO_VERDICT, NONE, Column

WINNERS = {1: "a", 0: "tie", -1: "b", NO_VERDICT: "undecided"}
PLAIN = ("turn", "weight", "first", "n_a", "n_b", "n_tie", "n_none")
CHUNK = 50_000


def decision_lines(decisions: Decisions, rule: str) -> Iterator[bytes]:
    """Sorted by question, turn and models, so that equal decisions make equal files; ``rule`` made the decided ones."""
    names = {name: [orjson.dumps(text).decode() for text in texts] for name, texts in decisions.names.items()}
    for start in range(0, len(decisions), CHUNK):
        yield "".join(_lines(decisions, names, rule, slice(start, start + CHUNK))).encode()


def _lines(decisions: Decisions, names: dict[str, list[str]], rule: str, part: slice) -> Iterator[str]:
    rules = [orjson.dumps(rule if number == DECIDED else text).decode() for number, text in enumerate(RULES)]
    models, consistent = names["model"], {1: "true", 0: "false", NONE: "null"}
    fixed = zip(
        (names["question"][at] for at in _list(decisions, "question", part)),
        (names["category"][at] for at in _list(decisions, "category", part)),
        (models[at] for at in _list(decisions, "model_a", part)),
        (models[at] for at in _list(decisions, "model_b", part)),
        (WINNERS[value] for value in _list(decisions, "winner", part)),
        (rules[value] for value in _list(decisions, "rule", part)),
        (consistent[value] for value in _list(decisions, "consistent", part)),
        zip(*(_list(decisions, name, part) for name in PLAIN), strict=True),
        _about_answers(decisions, part),
        strict=True,
    )
    for question, category, a, b, winner, why, same, plain, answers in fixed:
        turn, weight, first, n_a, n_b, n_tie, n_none = plain
        yield (
            f'{{"question_id":{question},"category":{category if category != EMPTY else "null"},"turn":{turn},'
            f'"model_a":{a},"model_b":{b},"winner":"{winner}","rule":{why},"consistent":{same},'
            f'"votes":{{"a":{n_a},"b":{n_b},"tie":{n_tie},"none":{n_none}}},"weight":{weight},{answers}"first":{first}}}\n'
        )


EMPTY = '""'


def _about_answers(decisions: Decisions, part: slice) -> Iterable[str]:
    """Lengths and marks; nothing of what is not known."""
    if not any((decisions[name][part] != NONE).any() for name in ("len_a", "len_b", "bold_a", "bold_b")):
        return repeat("", len(decisions["turn"][part]))
    return _described(decisions, part)


def _described(decisions: Decisions, part: slice) -> Iterator[str]:
    lengths = [_list(decisions, f"len_{side}", part) for side in "ab"]
    marks = [[_list(decisions, f"{mark}_{side}", part) for mark in MARKS] for side in "ab"]
    for at in range(len(lengths[0])):
        known: dict[str, Any] = {}
        for side, length, own in zip("ab", lengths, marks, strict=True):
            if length[at] != NONE:
                known[f"len_{side}"] = length[at]
            if own[0][at] != NONE:
                known[f"style_{side}"] = {mark: values[at] for mark, values in zip(MARKS, own, strict=True)}
        yield orjson.dumps(known).decode()[1:-1] + "," if known else ""


def _list(decisions: Decisions, name: str, part: slice) -> list[Any]:
    column: Column = decisions[name]
    return list(column[part].tolist())
