"""S_q: marks are read strictly, and counted as the paper counts them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.asking.reading import Unreadable
from bridge.adapters.longbench_write.quality import (
    DIMENSIONS,
    PROMPT,
    dimension_score,
    fill,
    metric_of,
    quality_score,
    read_marks,
)

MARKS = dict(zip(DIMENSIONS, (5, 4, 3, 2, 1, 5), strict=True))


def answer(**changed: object) -> str:
    return json.dumps({"Analysis": "So so.", **MARKS, **changed})


def test_marks_are_read() -> None:
    assert read_marks(answer()) == MARKS
    assert read_marks(f"```json\n{answer()}\n```") == MARKS
    assert read_marks(answer(Clarity="2")) == MARKS
    assert read_marks(answer(Clarity=2.0)) == MARKS
    assert read_marks(answer().replace("Breadth and Depth", "breadth and depth")) == MARKS


@pytest.mark.parametrize("mark", [0, 6, 2.5, "good", "", None, True, [4], {"score": 4}, -1, "4/5"])
def test_what_is_no_mark_is_no_3_either(mark: object) -> None:
    with pytest.raises(Unreadable, match=r"'Clarity' is .* not a whole number from 1 to 5"):
        read_marks(answer(Clarity=mark))


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_missing_mark_is_told(dimension: str) -> None:
    with pytest.raises(Unreadable, match=f"'{dimension}' is missing"):
        read_marks(json.dumps({name: mark for name, mark in MARKS.items() if name != dimension}))


@pytest.mark.parametrize("nonsense", ["", "A fine text.", "```json\n```", "[5,5,5,5,5,5]", "{}"])
def test_nonsense_has_no_marks(nonsense: str) -> None:
    with pytest.raises(Unreadable):
        read_marks(nonsense)


def test_formula() -> None:
    assert [dimension_score(mark) for mark in (1, 2, 3, 4, 5)] == [0, 25, 50, 75, 100]
    assert quality_score(MARKS) == pytest.approx((100 + 75 + 50 + 25 + 0 + 100) / 6)
    assert metric_of("Breadth and Depth") == "quality_breadth_and_depth"


@given(st.lists(st.lists(st.integers(1, 5), min_size=6, max_size=6), min_size=1))
def test_the_mean_over_texts_is_the_papers(all_marks: list[list[int]]) -> None:
    """Theirs: a dimension's mean mark first, (mean - 1) * 25, then the mean of the six."""
    of_texts = [quality_score(dict(zip(DIMENSIONS, marks, strict=True))) for marks in all_marks]
    of_dimensions = [(sum(column) / len(column) - 1) * 25 for column in zip(*all_marks, strict=True)]
    assert sum(of_texts) / len(of_texts) == pytest.approx(sum(of_dimensions) / 6)


def test_texts_are_put_into_the_prompt_as_they_are() -> None:
    filled = fill("A $INST$ B $RESPONSE$ C", r"say $RESPONSE$ \1", "say $INST$")
    assert filled == r"A say $RESPONSE$ \1 B say $INST$ C"


def test_our_own_prompt_asks_for_what_is_read() -> None:
    prompt = PROMPT.read_text(encoding="utf-8")
    assert prompt.count("$INST$") == prompt.count("$RESPONSE$") == 1
    form = prompt[prompt.rindex("{") :]
    assert list(json.loads(form)) == ["Analysis", *DIMENSIONS]
    with pytest.raises(Unreadable):
        read_marks(form)
