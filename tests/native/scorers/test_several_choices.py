from __future__ import annotations

import pytest

from bridge.native.prompt import several_sample
from bridge.native.scorers.several_choices import SeveralChoices, named_letters

SAMPLE = several_sample("Which are odd?", ["one", "two", "three", "four"], [0, 2])


@pytest.mark.parametrize(
    ("answer", "named", "accuracy", "exact"),
    [
        ("ANSWER: A, C", "A, C", 1.0, 1.0),
        ("I think so.\n**ANSWER:** A and C.", "A, C", 1.0, 1.0),
        ("答案：A、C", "A, C", 1.0, 1.0),
        ("ANSWER: [CA]", "A, C", 1.0, 1.0),
        ("Answers: (a) and (c)", "A, C", 1.0, 1.0),
        ("A, C", "A, C", 1.0, 1.0),
        ("ANSWER: C", "C", 0.5, 0.0),
        ("ANSWER: A, B, C", "A, B, C", 0.0, 0.0),
        ("ANSWER: A, B\nNo.\nANSWER: A, C", "A, C", 1.0, 1.0),
        ("ANSWER: E", None, 0.0, 0.0),
        ("ANSWER: none of them", None, 0.0, 0.0),
        ("A cab", None, 0.0, 0.0),
        ("All but two are odd, so it is A", None, 0.0, 0.0),
        ("", None, 0.0, 0.0),
    ],
)
def test_all_letters_are_read(answer: str, named: str | None, accuracy: float, exact: float) -> None:
    verdict = SeveralChoices().at_once(answer, SAMPLE)
    assert (verdict.extracted, verdict.scores) == (named, {"accuracy": accuracy, "exact_match": exact})


def test_a_question_needs_a_right_option() -> None:
    with pytest.raises(ValueError, match="no option is right"):
        several_sample("Which?", ["x", "y"], [])
    assert SAMPLE.fields["target"] == "A, C"


def test_long_answers_take_no_time() -> None:
    assert named_letters("ANSWER: " + "A, " * 100_000, frozenset("AB")) == (frozenset("A"), "marker")
    assert named_letters("and " * 100_000, frozenset("AB")) == (frozenset(), "none")
