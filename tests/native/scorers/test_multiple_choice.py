from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.native.prompt import choice_sample
from bridge.native.scorers.multiple_choice import MultipleChoice, chosen

CHOICES = {"A": "Mercury is near", "B": "Venus", "C": "The planet Mars", "D": "A ring of dust"}


@pytest.mark.parametrize(
    ("answer", "letter", "method"),
    [
        ("ANSWER: B", "B", "marker"),
        ("answer: b", "B", "marker"),
        ("**Answer:** (C)", "C", "marker"),
        ("**ANSWER: D**", "D", "marker"),
        ("ANSWER: $B", "B", "marker"),
        ("ANSWER: [B]", "B", "marker"),
        ("ANSWER: option C.", "C", "marker"),
        ("ANSWER: B, not C", "B", "marker"),
        ("ANSWER: A because it is near", "A", "marker"),
        ("ANSWER: A\nWait, no.\nANSWER: C", "C", "marker"),
        ("答案：B", "B", "marker"),
        ("答案: C。", "C", "marker"),
        ("ANSWER: A ring of dust", "D", "text"),
        ("ANSWER: Venus.", "B", "text"),
        ("So the answer is (B).", "B", "answer_is"),
        ("The correct answer is **C**, as Mars is red.", "C", "answer_is"),
        ("The answer is A because of gravity", "A", "answer_is"),
        ("正确答案是B，因为", "B", "answer_is"),
        ("因此选C", "C", "answer_is"),
        (r"So it is \boxed{B}.", "B", "boxed"),
        (r"\boxed{\text{C}}", "C", "boxed"),
        ("B", "B", "letter"),
        (" (c) ".upper(), "C", "letter"),
        ("**D**", "D", "letter"),
        ("B) Venus", "B", "letter"),
        ("C. The planet Mars\n\nIt is red.", "C", "letter"),
        ("venus", "B", "text"),
        ("The planet Mars!", "C", "text"),
        ("A) is wrong.\nB) is wrong too.\nThat leaves D", "D", "last_letter"),
        ("It is B, says NASA", "B", "last_letter"),
        ("I think a planet. A planet is big", None, "none"),
        ("", None, "none"),
        ("No idea.", None, "none"),
        ("ANSWER: E", None, "none"),
        ("Mercury is near and Venus", None, "none"),
    ],
)
def test_what_an_answer_names(answer: str, letter: str | None, method: str) -> None:
    assert chosen(answer, CHOICES) == (letter, method)


def test_only_the_letters_that_there_are_count() -> None:
    two = {"A": "yes", "B": "no"}
    assert chosen("ANSWER: C", two).letter is None
    assert chosen("The options C and D are missing, so B", two).letter == "B"


def test_options_of_the_same_text_are_not_told_apart() -> None:
    assert chosen("nought", {"A": "nought", "B": "Nought"}).letter is None


def test_the_score_is_one_or_nought() -> None:
    sample = choice_sample("Which?", ["x", "y", "z"], 1)
    scorer = MultipleChoice()
    assert scorer.at_once("ANSWER: B", sample).scores == {"accuracy": 1.0}
    assert scorer.at_once("ANSWER: C", sample).scores == {"accuracy": 0.0}
    nothing = scorer.at_once("", sample)
    assert (nothing.extracted, nothing.scores) == (None, {"accuracy": 0.0})


@given(before=st.text(), letter=st.sampled_from("ABCD"), bold=st.sampled_from(["", "**"]))
def test_the_form_that_is_asked_for_is_always_read(before: str, letter: str, bold: str) -> None:
    assert chosen(f"{before}\n{bold}ANSWER: {letter}{bold}", CHOICES) == (letter, "marker")


@given(st.text())
def test_any_text_names_an_option_or_none(answer: str) -> None:
    letter, method = chosen(answer, CHOICES)
    assert (letter in CHOICES) if letter else method == "none"


@pytest.mark.parametrize("noise", ["*" * 200_000, "ANSWER:" + " " * 200_000, "answer is " * 20_000, "(A " * 50_000])
def test_long_answers_take_no_time(noise: str) -> None:
    assert chosen(f"{noise}\nANSWER: C", CHOICES).letter == "C"
