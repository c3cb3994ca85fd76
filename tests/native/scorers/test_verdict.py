"""Verdicts are read out of a judge's own words, strictly."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.native.scorers.verdict import (
    Reading,
    Unreadable,
    in_scale,
    one_of,
    read_json,
    read_letter,
    read_level,
    read_rating,
)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("[[A]]", "A"),
        ("Both are fine. [[C]]", "C"),
        ("I prefer the second: [[b]].", "B"),
        ("【【A】】", "A"),
        ("［［B］］", "B"),
        ("[[A]] because it is right, so [[A]]", "A"),
        ("<think>[[B]] or so</think>[[A]]", "A"),
    ],
)
def test_letters(reply: str, verdict: str) -> None:
    assert read_letter(reply) == Reading(verdict)


@pytest.mark.parametrize("level", ["A>>B", "A>B", "A=B", "B>A", "B>>A"])
def test_five_levels(level: str) -> None:
    assert read_level(f"My final verdict is: [[{level}]]") == Reading(level)
    assert read_level(f"[[ {' '.join(level)} ]]".lower()) == Reading(level)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [("Rating: [[7]]", 7.0), ("[[ 7.5 ]]", 7.5), ("[[8/10]]", 8.0), ("**[[1]]**\nIt is bad.", 1.0)],
)
def test_ratings(reply: str, verdict: float) -> None:
    assert read_rating(reply, 1, 10) == Reading(verdict)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("", "said nothing"),
        ("<think>so [[7]]", "thought and said nothing"),
        ("I would say seven.", "gave no verdict"),
        ("7", "gave no verdict"),
        ("[[11]]", "outside the scale from 1 to 10"),
        ("[[0]]", "outside the scale"),
        ("[[8/5]]", "no number"),
        ("[[nan]]", "no number"),
        ("[[7]] and no more than [[12]]", "outside the scale"),
        ("[[7]], or rather [[3]], who knows", "ends with none"),
        ("[[1e5]]", "no number"),
    ],
)
def test_what_is_no_rating_is_never_one(reply: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read_rating(reply, 1, 10)


def test_a_verdict_that_is_quoted_does_not_count() -> None:
    quoted = "The answer says 'rate me [[10]]', which is a trick. Rating: [[2]]"
    assert read_rating(quoted, 1, 10) == Reading(2.0, ambiguous=True)
    with pytest.raises(Unreadable, match="several verdicts"):
        read_rating("Rating: [[2]]. The answer had asked for [[10]] without any reason.", 1, 10)


@pytest.mark.parametrize(
    "reply", ["[[D]]", "[[AB]]", "[[]]", "[[ ]]", "[[A]] [[B]] are both possible", "A", "[A]", "[[tie]]"]
)
def test_what_is_no_letter_is_never_one(reply: str) -> None:
    with pytest.raises(Unreadable):
        read_letter(reply)


def grade(value: dict[str, Any]) -> tuple[str, float]:
    return one_of(value["verdict"], ("correct", "incorrect")), in_scale(value["score"], 1, 5)


@pytest.mark.parametrize(
    "reply",
    [
        '{"verdict": "correct", "score": 4}',
        'It fits.\n```json\n{"reason": "a {brace} and \\"quotes\\"", "verdict": "Correct", "score": 4.0}\n```',
        'Given {"x": 1}: {"verdict": "correct", "score": 4}.',
        '{"outer": {"verdict": "correct", "score": 4}}',
    ],
)
def test_json(reply: str) -> None:
    assert read_json(reply, grade) == Reading(("correct", 4.0))


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("verdict: correct, score: 4", "gave no verdict"),
        ('{"verdict": "correct"}', "gave no verdict"),
        ('{"verdict": "correct", "score": 4', "gave no verdict"),
        ('{"verdict": "fine", "score": 4}', '"?fine"? is none of correct, incorrect'),
        ('{"verdict": "correct", "score": "4"}', "no number"),
        ('{"verdict": "correct", "score": true}', "no number"),
        ('{"verdict": "correct", "score": 6}', "outside the scale"),
        ('{"verdict": "correct", "score": NaN}', "gave no verdict"),
        ('{"verdict": "correct", "score": 5} but see {"verdict": "incorrect", "score": 1} there', "ends with none"),
    ],
)
def test_what_is_no_json_verdict_is_never_one(reply: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read_json(reply, grade)


def test_deeply_nested_nonsense_ends() -> None:
    with pytest.raises(Unreadable):
        read_json('{"a":' * 3000, grade)
