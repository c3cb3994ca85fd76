"""Multiple choice: which option does an answer name?

Tried in this order, each the last place in the answer that fits:

``marker``      ``ANSWER: B``, ``**Answer:** (B)``, ``答案：B``; what follows the letter does not matter
``answer_is``   ``the answer is (B)``, ``正确答案是B``
``boxed``       ``\\boxed{B}``
``letter``      the answer starts with a letter, as in ``B``, ``(B)``, ``B) because …``, and no line with another one
``text``        the answer, or what follows the marker, is the text of exactly one option
``last_letter`` the last capital that stands alone and is one of the letters, but no "A" or "I" of a sentence

EvalScope knows ``marker`` and falls back to the last capital of the text, alone or not, so that "B, says NASA" reads
as A there and as B here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from bridge.native.benchmark import Metric, Sample, Verdict


@dataclass(frozen=True)
class MultipleChoice:
    """1 where the letter that the answer names is the right one, else 0."""

    name: str = "multiple_choice"
    metrics: tuple[Metric, ...] = (Metric("accuracy"),)

    def at_once(self, answer: str, sample: Sample) -> Verdict:
        choice = chosen(answer, dict(sample.choices))
        return Verdict(choice.letter, {"accuracy": float(choice.letter == sample.target)}, choice.method)

    def prepare(self) -> None:
        """Needs no library."""

    def at_length(self, answer: str, sample: Sample) -> Verdict:
        return self.at_once(answer, sample)


class Choice(NamedTuple):
    letter: str | None
    method: str


def chosen(answer: str, choices: dict[str, str]) -> Choice:
    """The option that the answer names; letter None, method ``none`` where it names none."""
    patterns = _patterns("".join(choices))
    if marked := _last(patterns.marker, answer):
        by_text = _by_text(answer, choices) if answer[marked.end() : marked.end() + 2].strip() else None
        return Choice(by_text or marked.group("letter").upper(), "text" if by_text else "marker")
    for method, pattern in (("answer_is", patterns.answer_is), ("boxed", patterns.boxed)):
        if found := _last(pattern, answer):
            return Choice(found.group("letter").upper(), method)
    leading = {found.group("letter") for found in patterns.leading.finditer(answer)}
    if len(leading) == 1 and patterns.leading.match(answer.lstrip()):
        return Choice(leading.pop(), "letter")
    if letter := _by_text(answer, choices):
        return Choice(letter, "text")
    last = _last(patterns.last_letter, answer)
    return Choice(last.group("letter"), "last_letter") if last else Choice(None, "none")


class _Patterns(NamedTuple):
    marker: re.Pattern[str]
    answer_is: re.Pattern[str]
    boxed: re.Pattern[str]
    leading: re.Pattern[str]
    last_letter: re.Pattern[str]


_ENDS = "(?![A-Za-z0-9'’])"
_WRAP = r"[\s*_`$\"'(\[{（【「]{0,8}"
_OPTION = rf"{_WRAP}(?:(?i:option)\s)?{_WRAP}"
_ARTICLE = r"(?!A\s+(?!because|since|as\b|for\b|and\b|or\b)[a-z])"
_MARKER = r"(?:(?i:answer)|答案)[*_\s]{0,8}[:：]"
_AFTER_MARKER = re.compile(rf"{_MARKER}(?P<text>[^\n]*)")
_NO_WORD = re.compile(r"[\W_]+")


@lru_cache(maxsize=64)
def _patterns(letters: str) -> _Patterns:
    capital = f"(?P<letter>[{letters}]){_ENDS}"
    any_case = rf"(?P<letter>[{letters}]|[{letters.lower()}](?!\s+\w)){_ENDS}"
    is_words = r"(?:(?i:(?:answer|choice|option)\s+(?:is|would\s+be)\s{0,3}:?)|答案[是为]|选择?)"
    return _Patterns(
        marker=re.compile(rf"{_MARKER}{_OPTION}{any_case}"),
        answer_is=re.compile(rf"{is_words}{_OPTION}{_ARTICLE}{capital}"),
        boxed=re.compile(rf"\\boxed\s*\{{\s*(?:\\(?:text|textbf|mathrm|mathbf)\s*\{{)?{_WRAP}{any_case}"),
        leading=re.compile(rf"^{_WRAP}{capital}(?:[\s*_`\"'’”)\]}}）】」.]*$|[*_]*[)\].:：、．）,，])", re.MULTILINE),
        last_letter=re.compile(rf"(?<![A-Za-z0-9'’])(?!A\s+[a-z]|I\s+[a-z]){capital}"),
    )


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = None
    for found in pattern.finditer(text):  # noqa: B007 - the last one is wanted
        pass
    return found


def _by_text(answer: str, choices: dict[str, str]) -> str | None:
    """The option whose text the answer is, or what follows the marker; None where none is, or two are."""
    marked = _last(_AFTER_MARKER, answer)
    said = _plain(marked.group("text") if marked else answer)
    fits = [letter for letter, text in choices.items() if said and _plain(text) == said]
    return fits[0] if len(fits) == 1 else None


def _plain(text: str) -> str:
    """Letters and digits only, in one case."""
    return _NO_WORD.sub(" ", text).strip().casefold()
