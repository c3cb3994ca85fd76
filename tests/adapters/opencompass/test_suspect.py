"""Which readings of an answer are doubted."""

from __future__ import annotations

import pytest

from bridge.adapters.opencompass.output import Detail, Unit
from bridge.adapters.opencompass.suspect import suspects


def doubts(*samples: tuple[str, str | None, str], marker: str = "") -> list[str]:
    """``samples``: response, what was extracted, target."""
    predictions = {at: {"prediction": response} for at, (response, _, _) in enumerate(samples)}
    details = [Detail(extracted, target, float(extracted == target)) for _, extracted, target in samples]
    told = {"subset": None, "model": "m", "abbr": "x", "state": "done", "postprocessor": "first_capital"}
    return list(suspects([Unit(told, predictions, details)], marker))


@pytest.mark.parametrize(
    ("response", "extracted"),
    [
        ("B", "B"),
        ("The answer is B.", "B"),
        ("答案：C", "C"),
        ("A man would say A. The answer is **D**.", "D"),
        ("I think it is a toss between A and B, so B", "B"),
        ("the answer is a matter of taste: C", "C"),
    ],
)
def test_plausible_readings_are_not_doubted(response: str, extracted: str) -> None:
    assert doubts((response, extracted, "A")) == []


@pytest.mark.parametrize(
    ("response", "extracted"),
    [("The answer is D", "T"), ("Based on this, the answer is (C).", "B"), ("答案是D", "A"), ("42", "42")],
)
def test_a_letter_that_is_none_or_not_the_stated_one_is_doubted(response: str, extracted: str) -> None:
    (line,) = doubts((response, extracted, "A"), ("A", "A", "B"))
    assert line.startswith("1 of 2 (50%) answers look misread: first_capital took")
    assert repr(extracted) in line and response in line


def test_numbers_and_words_are_only_doubted_where_nothing_was_read() -> None:
    assert doubts(("It is 7", "7", "8")) == []
    (line,) = doubts(("I cannot say.", None, "8"), ("9", "9", "9"))
    assert line == "no answer was read out of 1 of 2 (50%) responses, such as 'I cannot say.'"


def test_requests_that_failed_are_not_counted() -> None:
    assert doubts(("[[gone]] 500", "G", "A"), ("B", "B", "B"), marker="[[gone]]") == []
