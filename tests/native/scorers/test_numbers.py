from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.native.scorers.numbers import first_number, last_number, same_number, to_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("18", 18),
        ("-5", -5),
        ("−5", -5),
        ("$1,200.50", Fraction("1200.5")),
        ("-$3", -3),
        (r"\$18", 18),
        ("45%", 45),
        (r"45\%", 45),
        ("3/4", Fraction(3, 4)),
        (r"18 \text{ dollars}", 18),
        ("18 dollars per day.", 18),
        (r"2\,000", 2000),
        ("2{,}000", 2000),
        ("**18**", 18),
        ("5.", 5),
        (".5", Fraction(1, 2)),
        ("1e3", 1000),
        ("2x", None),
        ("2 x", None),
        ("3 sqrt", None),
        ("1,2,3", None),
        ("12,34", None),
        ("10:30", None),
        ("5/0", None),
        ("3 and 4", None),
        ("", None),
        ("9" * 500, None),
    ],
)
def test_what_is_a_number(text: str, number: Fraction | None) -> None:
    assert to_number(text) == number


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("He has 12, then 1,000.", "12", "1000"),
        ("5-3", "5", "3"),
        ("it is -3.", "-3", "-3"),
        ("costs -$3.50", "-3.50", "-3.50"),
        ("A: 90,000", "90000", "90000"),
        ("steps 1,2", "1", "2"),
        ("none", None, None),
    ],
)
def test_numbers_in_running_text(text: str, first: str | None, last: str | None) -> None:
    assert (first_number(text), last_number(text)) == (first, last)


def test_six_decimals_make_a_difference() -> None:
    assert same_number(Fraction(6), Fraction("5.9999999"))
    assert not same_number(Fraction(6), Fraction("5.99999"))


@given(st.integers(-(10**15), 10**15))
def test_an_integer_is_read_in_every_way_of_writing_it(number: int) -> None:
    for text in (str(number), f"{number:,}", f"{number}.0", f"${number:,}" if number >= 0 else f"-${-number:,}"):
        assert to_number(text) == number
        assert last_number(f"So that makes {text}.") in (str(number), f"{number}.0")


@given(st.text(max_size=300))
def test_any_text_is_a_number_or_none(text: str) -> None:
    assert to_number(text) is None or isinstance(to_number(text), Fraction)
    assert last_number(text) is None or to_number(last_number(text) or "") is not None or len(text) > 200
