"""A judge's reply → what it decided about the answers as they were shown, strictly: what cannot be read is an error."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from bridge.native.answer import without_thinking
from bridge.native.scorers.verdict import (
    Reading,
    Unreadable,
    in_scale,
    one_of,
    read_json,
    read_letter,
    read_level,
    read_rating,
)

Shown = Literal["first", "second", "tie"]
PARSERS_OF = {"pairwise": ("letter", "five_level", "scores", "json", "logprob"), "single": ("rating", "json")}
TIE_WITHIN = 0.1
"""Scores that differ by less are a tie, as in FastChat."""
_SIDES: dict[str, Shown] = {"A": "first", "B": "second", "C": "tie", "tie": "tie"}
_PAIR = re.compile(r"(?:\[\[)?\s*([+-]?\d{1,6}(?:\.\d{1,6})?)(?:\s*,\s*|\s+)([+-]?\d{1,6}(?:\.\d{1,6})?)\s*(?:\]\])?")
_FIVE: dict[str, tuple[Shown, Literal[1, 2]]] = {
    "A>>B": ("first", 2),
    "A>B": ("first", 1),
    "A=B": ("tie", 1),
    "B>A": ("second", 1),
    "B>>A": ("second", 2),
}


@dataclass(frozen=True, slots=True)
class Decided:
    """About the answers in the order in which they were shown."""

    side: Shown | None
    """None in single mode."""
    strength: Literal[1, 2] = 1
    score_first: float | None = None
    score_second: float | None = None
    ambiguous: bool = False


def decide(reply: str, parser: str, *, pairwise: bool, scale: tuple[float, float], cut: bool = False) -> Decided:
    """Raises ``Unreadable``, which also says so where the reply was cut off at its limit of tokens."""
    try:
        return _pair(reply, parser, scale) if pairwise else _single(reply, parser, scale)
    except Unreadable as error:
        if not cut:
            raise
        raise Unreadable(f"{error} (cut off at max_tokens)") from None


LOGPROBS = {"logprobs": True, "top_logprobs": 20, "max_tokens": 1}
"""What a request says besides, where the likelihoods of the first token are the verdict."""
ENOUGH = 0.5
"""So likely the letters together must be."""


def by_likelihood(answer: dict[str, Any]) -> Decided:
    """The likeliest letter as the first token; scores are the shares of A and of B. Raises ``Unreadable``."""
    try:
        told = answer["choices"][0]["logprobs"]["content"][0]
        likely = {one["token"]: math.exp(one["logprob"]) for one in [told, *told["top_logprobs"]]}
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        raise Unreadable("the judge's server told no log-probabilities; use another parser") from None
    shares = dict.fromkeys("ABC", 0.0)
    for token, share in likely.items():
        if (letter := token.strip().upper()) in shares:
            shares[letter] += share
    whole = sum(shares.values())
    if not whole >= ENOUGH:
        raise Unreadable(f"the judge would say something else than a letter: {next(iter(likely))[:20]!r}")
    best = max(shares, key=lambda letter: shares[letter])
    side = "tie" if math.isclose(shares["A"], shares["B"]) and best != "C" else _SIDES[best]
    return Decided(side, 1, shares["A"] / whole, shares["B"] / whole)


def _pair(reply: str, parser: str, scale: tuple[float, float]) -> Decided:
    if parser == "letter":
        letter = read_letter(reply)
        return Decided(_SIDES[letter.verdict], ambiguous=letter.ambiguous)
    if parser == "five_level":
        level = read_level(reply)
        side, strength = _FIVE[level.verdict]
        return Decided(side, strength, ambiguous=level.ambiguous)
    scores = _scores(reply, scale) if parser == "scores" else read_json(reply, lambda found: _winner(found, scale))
    if isinstance(scores.verdict, str):
        return Decided(_SIDES[scores.verdict], ambiguous=scores.ambiguous)
    first, second = scores.verdict
    return Decided(_by_score(first, second), 1, first, second, scores.ambiguous)


def _single(reply: str, parser: str, scale: tuple[float, float]) -> Decided:
    if parser == "rating":
        rating = read_rating(reply, *scale)
    else:
        rating = read_json(reply, lambda found: in_scale(found["score"], *scale))
    return Decided(None, score_first=rating.verdict, ambiguous=rating.ambiguous)


def _scores(reply: str, scale: tuple[float, float]) -> Reading[tuple[float, float]]:
    """Two numbers that are the first line, or ``[[8, 9]]`` that is the last one."""
    lines = [line.strip() for line in without_thinking(reply).answer.strip().splitlines() if line.strip()]
    if not lines:
        raise Unreadable("the judge said nothing")
    ends = [lines[0]] if not lines[-1].startswith("[[") else [lines[-1]]
    for line in ends:
        if found := _PAIR.fullmatch(line):
            try:
                return Reading((in_scale(float(found[1]), *scale), in_scale(float(found[2]), *scale)))
            except ValueError as error:
                raise Unreadable(f"the judge's scores cannot be used: {error}") from None
    raise Unreadable(f"the judge's first line is not two scores: {lines[0][:80]}")


def _winner(found: dict[str, Any], scale: tuple[float, float]) -> str | tuple[float, float]:
    if "winner" not in found and "score_a" in found:
        return in_scale(found["score_a"], *scale), in_scale(found["score_b"], *scale)
    return one_of(found["winner"], tuple(_SIDES))


def _by_score(first: float, second: float) -> Shown:
    # To nine places, so that 8.6 and 8.5 differ by the whole tenth.
    if round(abs(first - second), 9) < TIE_WITHIN:
        return "tie"
    return "first" if first > second else "second"
