"""Judges' replies, sound and not: what cannot be read is an error, never a verdict or a number."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bridge.native.arena.verdicts import Decided, by_likelihood, decide
from bridge.native.scorers.verdict import Unreadable

TEN = (1.0, 10.0)


def pair(reply: str, parser: str = "letter", *, cut: bool = False) -> Decided:
    return decide(reply, parser, pairwise=True, scale=TEN, cut=cut)


def single(reply: str, parser: str = "rating", scale: tuple[float, float] = TEN) -> float | None:
    return decide(reply, parser, pairwise=False, scale=scale).score_first


@pytest.mark.parametrize(
    ("reply", "side"),
    [
        ("Both are fine. [[A]]", "first"),
        ("[[B]]", "second"),
        ("Neither. [[C]]", "tie"),
        ("so: [[a]]", "first"),
        ("【【B】】", "second"),
        ("［［A］］", "first"),
        ("<think>[[A]] at first sight</think>No: [[B]]", "second"),
    ],
)
def test_letters(reply: str, side: str) -> None:
    decided = pair(reply)
    assert (decided.side, decided.ambiguous) == (side, False)


def test_of_two_verdicts_the_last_counts_and_is_marked() -> None:
    decided = pair("I would say [[A]]. On reflection: [[B]]")
    assert (decided.side, decided.ambiguous) == ("second", True)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "   ",
        "A is better.",
        "[A]",
        "[[D]]",
        "[[AB]]",
        "As an AI I cannot judge this.",
        'Output "[[A]]" if assistant A is better, "[[B]]" if assistant B is better, and "[[C]]" for a tie.',
        "<think>[[A]] is what I would",
        "<think>[[A]]</think>",
        "[[7]]",
        "null",
    ],
)
def test_no_letter(reply: str) -> None:
    with pytest.raises(Unreadable):
        pair(reply)


def test_cut_off_is_told() -> None:
    with pytest.raises(Unreadable, match="cut off at max_tokens"):
        pair("Let me compare them in great", cut=True)
    assert pair("[[A]] because", cut=True).side == "first"


def test_levels() -> None:
    read = {text: pair(f"so [[{text}]]", "five_level") for text in ("A>>B", "A>B", "A=B", "B>A", "B>>A", "b >> a")}
    assert [(one.side, one.strength) for one in read.values()] == [
        ("first", 2),
        ("first", 1),
        ("tie", 1),
        ("second", 1),
        ("second", 2),
        ("second", 2),
    ]
    for reply in ("[[A]]", "[[A<B]]", "A>>B", "[[A>>>B]]"):
        with pytest.raises(Unreadable):
            pair(reply, "five_level")


def test_scores() -> None:
    assert pair("9 8.5\nBoth …", "scores") == Decided("first", 1, 9, 8.5)
    assert pair("7, 8\n…", "scores").side == "second"
    assert pair("8 8.05\n", "scores").side == "tie"
    assert pair("8.6 8.5\n", "scores").side == "first"
    assert pair("Both good.\n[[6, 9]]", "scores") == Decided("second", 1, 6, 9)
    for reply in (
        "Assistant 1 gets 8, assistant 2 gets 9.",
        "11 9\n",
        "0 9\n",
        "-1 3",
        "8",
        "nan 3",
        "8 9 7",
        "Score: 8 9",
        "",
    ):
        with pytest.raises(Unreadable):
            pair(reply, "scores")


def test_json() -> None:
    assert pair('```json\n{"reason": "…", "winner": "B"}\n```', "json").side == "second"
    assert pair('{"winner": "tie"}', "json").side == "tie"
    assert pair('{"score_a": 3, "score_b": 2}', "json") == Decided("first", 1, 3, 2)
    assert single('{"reason": "{[[3]]}", "score": 7.5}', "json") == 7.5
    for reply in ('{"winner": "both"}', '{"winner": null}', '{"score_a": NaN, "score_b": 1}', '{"score_a": 3}', "{}"):
        with pytest.raises(Unreadable):
            pair(reply, "json")
    for reply in ('{"score": "7"}', '{"score": true}', '{"score": 11}', '{"score": Infinity}', '{"score": null}'):
        with pytest.raises(Unreadable):
            single(reply, "json")


def test_ratings() -> None:
    assert single("Rating: [[7]]") == 7
    assert single("[[10/10]]") == 10
    assert single("[[7.5]]") == 7.5
    assert single("[[3]]", scale=(1, 5)) == 3
    for reply, scale in (
        ("[[7]]", (1.0, 5.0)),
        ("[[0]]", TEN),
        ("[[rating]]", TEN),
        ("[[nan]]", TEN),
        ("[[10/10]]", (1.0, 5.0)),
        ("Rating: 7", TEN),
        ("[[A]]", TEN),
        ("[[8]] or maybe [[9]], who knows", TEN),
    ):
        with pytest.raises(Unreadable):
            single(reply, scale=scale)


def told(said: str, **shares: float) -> dict[str, Any]:
    """A reply of one token, and how likely others were."""
    top = [{"token": token.replace("_", " "), "logprob": math.log(share)} for token, share in shares.items()]
    first = {"token": said, "logprob": math.log(shares.get(said, 0.01)), "top_logprobs": top}
    return {"choices": [{"message": {"content": said}, "logprobs": {"content": [first]}}]}


def test_likelihoods_of_letters() -> None:
    clear = by_likelihood(told("A", A=0.6, _A=0.2, B=0.1, b=0.05))
    assert clear.side == "first"
    assert clear.score_first == pytest.approx(0.8 / 0.95)
    assert clear.score_second == pytest.approx(0.15 / 0.95)
    assert by_likelihood(told("A", A=0.3, B=0.5)).side == "second"
    assert by_likelihood(told("C", A=0.2, B=0.1, C=0.6)).side == "tie"
    assert by_likelihood(told("A", A=0.4, B=0.4)).side == "tie"


@pytest.mark.parametrize(
    "answer",
    [
        told("The", The=0.9, A=0.05),
        {"choices": [{"message": {"content": "A"}}]},
        {"choices": [{"message": {"content": "A"}, "logprobs": None}]},
        {"choices": [{"logprobs": {"content": []}}]},
        {"choices": [{"logprobs": {"content": [{"token": "A", "logprob": "x", "top_logprobs": []}]}}]},
        {"choices": [{"logprobs": {"content": [{"token": "A", "logprob": 1e9, "top_logprobs": []}]}}]},
        {"choices": [{"logprobs": {"content": [{"token": "A", "logprob": float("nan"), "top_logprobs": []}]}}]},
    ],
)
def test_no_likelihoods(answer: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        by_likelihood(answer)
