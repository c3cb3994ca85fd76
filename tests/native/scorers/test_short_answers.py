"""Trivia, FinalAnswer, FirstWord."""

from __future__ import annotations

import pytest

from bridge.native.benchmark import Sample
from bridge.native.scorers.final_answer import FinalAnswer
from bridge.native.scorers.first_word import FirstWord
from bridge.native.scorers.trivia import Trivia, trivia_normalised


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The Beatles!", "beatles"),
        ("An  apple_a day", "apple day"),
        ("Rock 'n' Roll", "rock n roll"),
        ("O’Neill", "o neill"),
        ("Theatre", "theatre"),
        ("the", ""),
    ],
)
def test_what_the_official_script_normalises(text: str, plain: str) -> None:
    assert trivia_normalised(text) == plain


@pytest.mark.parametrize(
    ("answer", "extracted", "exact", "f1"),
    [
        ("Sunset Boulevard", "Sunset Boulevard", 1.0, 1.0),
        ("Let me think.\n\nANSWER: **the sunset boulevard**", "the sunset boulevard", 1.0, 1.0),
        ("Hm.\nsunset blvd.", "sunset blvd.", 1.0, 1.0),
        ("ANSWER: Sunset Strip", "Sunset Strip", 0.0, 0.5),
        ("ANSWER: Broadway", "Broadway", 0.0, 0.0),
        ("the", None, 0.0, 0.0),
        (" \n", None, 0.0, 0.0),
    ],
)
def test_trivia(answer: str, extracted: str | None, exact: float, f1: float) -> None:
    found = Trivia().at_once(answer, Sample(target=["Sunset Boulevard", "Sunset Blvd."]))
    assert (found.extracted, found.scores) == (extracted, {"exact_match": exact, "f1": f1})


@pytest.mark.parametrize(
    ("answer", "target", "extracted", "method"),
    [
        ("So the answer is (B).", "(B)", "(B)", "answer_is"),
        ("So the answer is B.", "(B)", "(B)", "answer_is"),
        ("So the answer is (b) blue.", "(B)", "(B)", "answer_is"),
        ("The answer is (A). No: so the answer is **(B)**", "(B)", "(B)", "answer_is"),
        ("ANSWER: (B)", "(B)", "(B)", "marker"),
        (r"It is \boxed{B}", "(B)", "(B)", "boxed"),
        ("It is **(B)**", "(B)", "(B)", "bold"),
        ("(A) is wrong, (B) is right", "(B)", "(B)", "letter"),
        ("So the answer is yes.", "Yes", "yes", "answer_is"),
        ("So the answer is **True**.", "True", "True", "answer_is"),
        ("So the answer is ] ) }.", "] ) }", "] ) }", "answer_is"),
        ("So the answer is ])}", "] ) }", "])}", "answer_is"),
        ("So the answer is ape, bee, cat.", "ape bee cat", "ape, bee, cat", "answer_is"),
        ("So the answer is $-12$.", "-12", "-12", "answer_is"),
    ],
)
def test_a_result_at_the_end_is_read(answer: str, target: str, extracted: str, method: str) -> None:
    found = FinalAnswer().at_once(answer, Sample(target=target))
    assert (found.extracted, found.method, found.scores) == (extracted, method, {"accuracy": 1.0})


@pytest.mark.parametrize(
    ("answer", "target", "extracted"),
    [
        ("So the answer is (C).", "(B)", "(C)"),
        ("So the answer is because.", "(B)", None),
        ("So the answer is 12.", "-12", "12"),
        ("So the answer is ] }.", "] ) }", "] }"),
        ("I do not know.", "(B)", None),
        ("", "Yes", None),
    ],
)
def test_another_result_is_wrong(answer: str, target: str, extracted: str | None) -> None:
    found = FinalAnswer().at_once(answer, Sample(target=target))
    assert (found.extracted, found.scores) == (extracted, {"accuracy": 0.0})


@pytest.mark.parametrize(
    ("answer", "score"), [("signs", 1.0), ("**Signs.**", 1.0), ("signs of rain", 1.0), ("sign", 0.0), ("", 0.0)]
)
def test_the_first_word(answer: str, score: float) -> None:
    assert FirstWord().at_once(answer, Sample(target="signs")).scores == {"accuracy": score}


@pytest.mark.parametrize("noise", ["answer is " * 20_000, "**" * 100_000, "(A" * 100_000, "answer:" * 50_000])
def test_long_answers_take_no_time(noise: str) -> None:
    assert FinalAnswer().at_once(f"{noise}\nSo the answer is (C).", Sample(target="(C)")).scores == {"accuracy": 1.0}
