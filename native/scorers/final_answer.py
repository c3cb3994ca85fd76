"""A short result at the end of a reasoning: a letter, a word, a number, a row of brackets.

Read in this order, each the last in the text: what follows ``the answer is`` up to the end of the line; what follows
``ANSWER:``; ``\\\\boxed{…}``; text in bold; and, where the reference is a letter in brackets, a letter in brackets.
Compared without case, marks around it, and spacing; a letter may lack its brackets, and text may follow it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridge.native.benchmark import Metric, Sample, Verdict
from bridge.native.scorers.math import last_boxed

_ANSWER_IS = re.compile(r"(?i:answer\s+is)[ \t:]{0,4}(?P<text>(?:(?!(?i:answer)\s+is)[^\n])*)")
_MARKER = re.compile(r"(?i:answer)[*_ \t]{0,4}:(?P<text>[^\n]*)")
_BOLD = re.compile(r"\*\*(?P<text>[^*\n]+)\*\*")
_OPTION = re.compile(r"(?P<text>\([A-Z]\))")
_PATTERNS = (("answer_is", _ANSWER_IS), ("marker", _MARKER))
_LETTER = re.compile(r"\(?([A-Za-z])(?:\)|(?![\w'’]))")
_AROUND = " \t*_`\"'$."


@dataclass(frozen=True)
class FinalAnswer:
    """1 where the result is the reference, else 0."""

    name: str = "final_answer"
    metrics: tuple[Metric, ...] = (Metric("accuracy"),)

    def at_once(self, answer: str, sample: Sample) -> Verdict:
        target = str(sample.target)
        option = _OPTION.fullmatch(target) is not None
        text, method = final_answer(answer, option=option)
        said = _letter(text) if option else text
        if not said:
            return Verdict(None, {"accuracy": 0.0}, "none")
        return Verdict(said, {"accuracy": float(_plain(said) == _plain(target))}, method)

    def prepare(self) -> None:
        """Needs no library."""

    def at_length(self, answer: str, sample: Sample) -> Verdict:
        return self.at_once(answer, sample)


def final_answer(answer: str, *, option: bool) -> tuple[str, str]:
    """The result and how it was found; ``option``: it is a letter in brackets."""
    for method, pattern in _PATTERNS:
        if text := _last(pattern, answer):
            return text, method
    if boxed := last_boxed(answer):
        return boxed, "boxed"
    if text := _last(_BOLD, answer):
        return text, "bold"
    text = _last(_OPTION, answer) if option else ""
    return text, "letter" if text else "none"


def _last(pattern: re.Pattern[str], text: str) -> str:
    found = [match["text"].strip(_AROUND) for match in pattern.finditer(text)]
    return found[-1] if found else ""


def _letter(text: str) -> str:
    found = _LETTER.match(text)
    return f"({found[1].upper()})" if found else ""


def _plain(text: str) -> str:
    """Words with single blanks between them; brackets and the like without any."""
    folded = " ".join(text.casefold().replace(",", " ").split())
    return folded if any(map(str.isalnum, folded)) else folded.replace(" ", "")
