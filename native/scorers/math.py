"""Mathematical answers: is what the model arrived at equal to the reference?

Read in this order, each the last in the answer that fits:

``boxed``       ``\\boxed{…}``
``answer_is``   ``the answer is …``, ``答案是…``, up to the end of the line
``marker``      ``ANSWER: …``
``last_number`` the last number of the text

Two plain numbers are compared at once, exactly (to six decimals). Everything else goes to math-verify, which knows
that ``\\frac{1}{2}`` is ``0.5`` and ``x=3`` is ``3``, in another process and with a time limit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from bridge.native.benchmark import Metric, Sample, Verdict
from bridge.native.scorers.numbers import first_number, last_number, same_number, to_number

_BOXED = re.compile(r"\\f?boxed\s*\{")
_ANSWER_IS = re.compile(r"(?i:answer(?:\s+is|\s*=)|答案[是为])[\s:：*]{0,8}(?P<text>[^\n]*)")
_MARKER = re.compile(r"(?:(?i:answer)|答案)[*_\s]{0,8}[:：][\s*]{0,8}(?P<text>[^\n]*)")
_INLINE = re.compile(r"\${1,2}([^$\n]+)\${1,2}|\\\((.+?)\\\)|\\\[(.+?)\\\]")
_EXPRESSION = re.compile(r"[\\^{}]")


class Found(NamedTuple):
    text: str | None
    method: str


@dataclass(frozen=True)
class Math:
    """1 where the answer equals the reference, else 0."""

    name: str = "math"
    metrics: tuple[Metric, ...] = (Metric("accuracy"),)

    def at_once(self, answer: str, sample: Sample) -> Verdict | None:
        target = to_number(str(sample.target))
        found = find_answer(answer, numeric=target is not None)
        if found.text is None or found.text == sample.target:
            return _verdict(found, found.text is not None)
        number = to_number(found.text)
        if target is None or number is None:
            return None
        return _verdict(found, same_number(number, target))

    def prepare(self) -> None:
        import logging

        import math_verify  # noqa: F401 - loaded for ``at_length``

        logging.getLogger("math_verify").setLevel(logging.ERROR)

    def at_length(self, answer: str, sample: Sample) -> Verdict:
        found = find_answer(answer, numeric=to_number(str(sample.target)) is not None)
        return _verdict(found, found.text is not None and equivalent(found.text, str(sample.target)))


def _verdict(found: Found, right: bool) -> Verdict:
    return Verdict(found.text, {"accuracy": float(right)}, found.method)


def find_answer(answer: str, *, numeric: bool) -> Found:
    """What the answer comes to; ``numeric``: a number is looked for, so words around it are dropped."""
    if (boxed := last_boxed(answer)) is not None:
        return Found(boxed, "boxed")
    for method, pattern in (("answer_is", _ANSWER_IS), ("marker", _MARKER)):
        stated = _stated(pattern, answer)
        if stated and numeric:
            stated = _number_in(stated)
        if stated:
            return Found(stated, method)
    number = last_number(answer)
    return Found(number, "last_number" if number else "none")


def last_boxed(text: str) -> str | None:
    """What stands in the last ``\\boxed{…}`` that is closed and not empty."""
    for start in reversed([found.end() for found in _BOXED.finditer(text)]):
        depth = 1
        for at in range(start, len(text)):
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            if not depth:
                break
        if not depth and text[start:at].strip():
            return text[start:at].strip()
    return None


def _stated(pattern: re.Pattern[str], answer: str) -> str | None:
    last = None
    for last in pattern.finditer(answer):  # noqa: B007 - the last one is wanted
        pass
    if last is None:
        return None
    text = last.group("text")
    if inline := _INLINE.search(text):
        text = next(filter(None, inline.groups()))
    return text.lstrip(" \t*_`$").rstrip(" \t*_`$.") or None


def _number_in(stated: str) -> str | None:
    """The number that a statement comes to: behind its last equals sign, else its first one."""
    value = stated.rpartition("=")[2].strip()
    if to_number(value) is not None or _EXPRESSION.search(value):
        return value
    return first_number(value)


def equivalent(answer: str, target: str) -> bool:
    """Whether math-verify finds two expressions equal. Slow; may not come back."""
    from math_verify import parse, verify

    read = [parse(f"${text}$", parsing_timeout=None) for text in (target, answer)]
    return bool(verify(read[0], read[1], timeout_seconds=None))


def number_target(text: str) -> Fraction:
    """A reference that is to be a number. Raises ValueError where it is none."""
    number = to_number(text)
    if number is None:
        raise ValueError(f"{text!r} is not a number")
    return number
