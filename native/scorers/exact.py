"""Exact match, forgiving what carries no meaning: case, punctuation and spacing."""

from __future__ import annotations

import re

_NO_WORD = re.compile(r"[^\w%+-]+|_+")


def normalised(text: str) -> str:
    return _NO_WORD.sub(" ", text.casefold()).strip()


def exact_match(answer: str, references: tuple[str, ...]) -> bool:
    """Whether the answer is one of the references."""
    said = normalised(answer)
    return any(said == normalised(reference) for reference in references)
