from __future__ import annotations

import pytest
from fakes import HOSTILE, make_row
from hypothesis import given
from hypothesis import strategies as st

from bridge.report.numbers import duration_text, interval_text, value_text
from bridge.report.text import one_line, plural, visible


@given(st.text())
def test_visible_text_is_printable(text: str) -> None:
    assert visible(text).isprintable()
    if text.isprintable():
        assert visible(text) == text


def test_codes_of_what_cannot_be_seen() -> None:
    assert visible("a\x1b[31m\u202eb\n") == "a\\x1b[31m\\u202eb\\n"


@pytest.mark.parametrize("text", HOSTILE)
def test_one_line_is_short_and_printable(text: str) -> None:
    line = one_line(text * 30, 50)
    assert len(line) <= 50 and line.isprintable()


def test_plural() -> None:
    assert [plural(n, "sample") for n in (0, 1, 1234)] == ["0 samples", "1 sample", "1,234 samples"]


@pytest.mark.parametrize(
    ("fields", "value", "interval"),
    [
        ({"value": 0.605, "ci95": (0.5359, 0.6703)}, "60.50 %", "[53.59, 67.03]"),
        ({"value": 8.3125, "unit": "rating", "ci95": (8.1, 8.52)}, "8.31", "[8.10, 8.52]"),
        ({"value": 1204.0, "unit": "count", "ci95": None}, "1,204", ""),
        ({"value": 345.25, "unit": "tokens", "ci95": None}, "345.25 tokens", ""),
        ({"value": 1.5, "unit": "seconds", "ci95": (1.25, 2.0)}, "1.50 s", "[1.25, 2.00]"),
        ({"value": None, "ci95": (0.1, 0.2)}, "–", ""),
    ],
)
def test_numbers_by_unit(fields: dict[str, object], value: str, interval: str) -> None:
    row = make_row(**fields)
    assert (value_text(row), interval_text(row)) == (value, interval)


def test_durations() -> None:
    assert [duration_text(s) for s in (0.4, 61, 3_725, -1)] == ["0 s", "1 min 01 s", "1 h 02 min", "0 s"]
