"""What a judge decided, read strictly out of its own reply: a letter, a level, a number, a JSON object.

A reply says one thing. Where it holds several different verdicts (a judge quotes what it was shown), the one that ends
the reply counts and the reading is marked ``ambiguous``; where none of them ends it, the reply is unreadable. Thinking
is cut off first. Nothing is ever guessed: a reply without a verdict raises ``Unreadable``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bridge.native.answer import without_thinking

T = TypeVar("T")

FIVE_LEVELS = ("A>>B", "A>B", "A=B", "B>A", "B>>A")
_BRACKETS = re.compile(r"\[\[([^\[\]]{1,40})\]\]")
_NUMBER = re.compile(r"(?P<number>[+-]?\d{1,6}(?:\.\d{1,6})?)(?:\s*/\s*(?P<of>\d{1,6}))?")
_ONLY_MARKS = re.compile(r"[\s*_`.。\"'”’)}\]]*")
_WIDE = str.maketrans({"［": "[", "］": "]", "【": "[", "】": "]"})
_EXCERPT = 80


class Unreadable(Exception):
    """The reply holds no verdict, or several that contradict each other; one line that says which."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """A verdict, and whether the reply holds another one as well."""

    verdict: T
    ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class _Found(Generic[T]):
    verdict: T
    end: int


def read_letter(reply: str, letters: Sequence[str] = ("A", "B", "C")) -> Reading[str]:
    """``[[A]]``, in either case and with full-width brackets too: one of ``letters``."""
    return _one(reply, lambda text: _bracketed(text, lambda inner: _among(inner, letters)), f"[[{'|'.join(letters)}]]")


def read_level(reply: str, levels: Sequence[str] = FIVE_LEVELS) -> Reading[str]:
    """``[[A>>B]]``, ``[[A=B]]`` …: one of ``levels``; blanks do not count."""
    return _one(reply, lambda text: _bracketed(text, lambda inner: _among(inner, levels)), f"[[{levels[0]}]] …")


def read_rating(reply: str, low: float, high: float) -> Reading[float]:
    """``[[7]]`` or ``[[7.5]]``, also ``[[7/10]]`` where 10 is ``high``. A number outside the scale is no verdict."""

    def rating(inner: str) -> float:
        found = _NUMBER.fullmatch(inner)
        if found is None or (found["of"] is not None and float(found["of"]) != high):
            raise ValueError(f"[[{inner}]] is no number")
        return in_scale(float(found["number"]), low, high)

    return _one(reply, lambda text: _bracketed(text, rating), f"[[{low:g}]] to [[{high:g}]]")


def read_json(reply: str, check: Callable[[dict[str, Any]], T]) -> Reading[T]:
    """What ``check`` makes of the JSON object in the reply, fenced or not; it raises ValueError for one that is wrong.

    Objects without the fields that ``check`` wants (it raises KeyError) are no verdicts.
    """
    return _one(reply, lambda text: _objects(text, check), "a JSON object with the fields that were asked for")


def in_scale(value: object, low: float, high: float) -> float:
    """The number. Raises ValueError for what is no number, or outside the scale."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{_short(value)} is no number")
    if not low <= value <= high:
        raise ValueError(f"{value:g} is outside the scale from {low:g} to {high:g}")
    return float(value)


def one_of(value: object, allowed: Sequence[str]) -> str:
    """The one of ``allowed`` that is meant, whatever its case. Raises ValueError."""
    if isinstance(value, str):
        for one in allowed:
            if value.strip().casefold() == one.casefold():
                return one
    raise ValueError(f"{_short(value)} is none of {', '.join(allowed)}")


def _one(reply: str, find: Callable[[str], Iterator[_Found[T]]], wanted: str) -> Reading[T]:
    text = without_thinking(reply).answer.strip().translate(_WIDE)
    if not text:
        raise Unreadable("the judge said nothing" if not reply.strip() else "the judge thought and said nothing")
    try:
        found = list(find(text))
    except ValueError as error:
        raise Unreadable(f"the judge's verdict cannot be used: {error}") from None
    if not found:
        raise Unreadable(f"the judge gave no verdict ({wanted}): {_short(text)}")
    last = found[-1]
    if all(one.verdict == last.verdict for one in found):
        return Reading(last.verdict)
    if _ONLY_MARKS.fullmatch(text, last.end):
        return Reading(last.verdict, ambiguous=True)
    raise Unreadable(f"the judge gave several verdicts, and ends with none: {_short(text[-_EXCERPT:])}")


def _bracketed(text: str, read: Callable[[str], T]) -> Iterator[_Found[T]]:
    """Every ``[[…]]`` that is a verdict; raises ValueError where the last one is none."""
    wrong: ValueError | None = None
    for match in _BRACKETS.finditer(text):
        try:
            verdict, wrong = read(match[1].strip()), None
        except ValueError as error:
            wrong = error
            continue
        yield _Found(verdict, match.end())
    if wrong is not None:
        raise wrong


def _among(inner: str, allowed: Sequence[str]) -> str:
    said = "".join(inner.split()).upper()
    if said not in allowed:
        raise ValueError(f"[[{inner}]] is none of {', '.join(allowed)}")
    return said


def _objects(text: str, check: Callable[[dict[str, Any]], T]) -> Iterator[_Found[T]]:
    """Every JSON object that is a verdict; raises ValueError where the last one with its fields is none."""
    wrong: ValueError | None = None
    at = 0
    while (at := text.find("{", at)) >= 0:
        value, end = _object_at(text, at)
        at += 1
        if value is None:
            continue
        try:
            verdict, wrong, at = check(value), None, end
        except KeyError:
            continue
        except ValueError as error:
            wrong, at = error, end
            continue
        yield _Found(verdict, end)
    if wrong is not None:
        raise wrong


def _object_at(text: str, at: int) -> tuple[dict[str, Any] | None, int]:
    try:
        value, end = json.JSONDecoder(parse_constant=_no_constant, strict=False).raw_decode(text, at)
    except (ValueError, RecursionError):
        return None, at
    return value, end


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _short(value: object) -> str:
    """In one line that can be sent back to the judge: half a character is written out."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    line = " ".join(text.encode("utf-8", "backslashreplace").decode().split())
    return line if len(line) <= _EXCERPT else f"{line[: _EXCERPT - 1]}…"
