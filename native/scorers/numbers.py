"""Numbers as people and models write them, read exactly."""

from __future__ import annotations

import re
from fractions import Fraction

_MARKUP = re.compile(
    r"\\(?:text|textbf|mathrm|mathbf|mbox)\s*\{([^{}]*)\}|\\(?:left|right|displaystyle|quad)\b|\\[,!;: ]"
)
_NUMBER = re.compile(
    r"(?P<sign>[+-]?)\s*(?:US)?\\?[$€£¥]?\s*"
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?(?:[eE][+-]?\d{1,2})?|\.\d+)(?:\s*/\s*(?P<below>\d+))?"
    r"\s*\\?[%$€£¥]?(?P<unit>\s+(?!(?:sin|cos|tan|log|exp|sqrt|and|or)\b)[^\W\d_]{3,}(?:[\s./'’-]{1,3}[^\W\d_]+)*)?\s*\.?"
)
_THIN_SPACE = re.compile(r"(?<=\d)\\[,!](?=\d{3})")
_MAX_LENGTH = 200

_IN_TEXT = re.compile(
    r"(?P<sign>(?<![\w.)\]}])[+-]\s?(?=\\?[$€£¥]?\.?\d))?\\?[$€£¥]?"
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|(?<!\d)\.\d+)"
)
"""A sign counts only where no operand stands before it."""


def to_number(text: str) -> Fraction | None:
    """The number that ``text`` is, or None where it is something else.

    Takes thousands separators, currency signs, a percent sign, a ratio of integers, and words as a unit:
    ``$1,200.50``, ``45%``, ``3/4``, ``18 \\text{ dollars}``. Percent is a unit like any other: ``45%`` is 45.
    """
    if len(text) > _MAX_LENGTH:
        return None
    if "\\" in text:
        text = _MARKUP.sub(lambda m: m.group(1) or " ", _THIN_SPACE.sub("", text))
    bare = text.replace("−", "-").replace("{,}", ",").strip(" \t\n*_`")
    found = _NUMBER.fullmatch(bare)
    if not found:
        return None
    number = Fraction(found["digits"].replace(",", "").rstrip("."))
    below = int(found["below"] or 1)
    if not below:
        return None
    return (-number if found["sign"] == "-" else number) / below


def same_number(left: Fraction, right: Fraction) -> bool:
    """Equal to six decimal places, so that 2.9999999999999996 is 3."""
    return abs(left - right) * 2_000_000 < 1


def last_number(text: str) -> str | None:
    """The last number in running text, without its thousands separators."""
    last = None
    for last in _IN_TEXT.finditer(text):  # noqa: B007 - the last one is wanted
        pass
    return _plain(last) if last else None


def first_number(text: str) -> str | None:
    first = _IN_TEXT.search(text)
    return _plain(first) if first else None


def _plain(found: re.Match[str]) -> str:
    sign = "-" if (found["sign"] or "").startswith("-") else ""
    return sign + found["digits"].replace(",", "")
