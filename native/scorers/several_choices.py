"""Multiple choice with several right options: which ones does an answer name?

Read in this order: the letters behind the last ``ANSWER:`` or ``答案：`` of the text; else an answer that is nothing
but capitals, as in ``A, C`` or ``B and D``. An answer with a letter that is no option is not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridge.native.benchmark import Metric, Sample, Verdict
from bridge.native.scorers.multiple_choice import MultipleChoice

_MARKED = re.compile(r"(?:(?i:answers?)|答案)[*_\s]{0,8}[:：](?P<letters>[^\n]*)")
_BETWEEN = re.compile(r"(?:[\s,;.、，；&+/()\[\]{}*_`\"'$]|\b(?i:and|und|options?)\b|和|与)+")
_LETTERS = re.compile(r"[A-Z]+")


@dataclass(frozen=True)
class SeveralChoices:
    """``accuracy``: share of the right letters, 0 where a wrong one is named; ``exact_match``: all and no other."""

    name: str = "several_choices"
    metrics: tuple[Metric, ...] = (Metric("accuracy"), Metric("exact_match"))

    def at_once(self, answer: str, sample: Sample) -> Verdict:
        named, method = named_letters(answer, frozenset(sample.choices))
        right = frozenset(sample.target)
        share = len(named) / len(right) if named and named <= right else 0.0
        scores = {"accuracy": share, "exact_match": float(named == right)}
        return Verdict(", ".join(sorted(named)) or None, scores, method)

    def prepare(self) -> None:
        """Needs no library."""

    def at_length(self, answer: str, sample: Sample) -> Verdict:
        return self.at_once(answer, sample)


@dataclass(frozen=True)
class OneOrSeveral:
    """``accuracy`` of ``MultipleChoice`` where one option is right, of ``SeveralChoices`` where several are."""

    name: str = "one_or_several_choices"
    metrics: tuple[Metric, ...] = (Metric("accuracy"),)

    def at_once(self, answer: str, sample: Sample) -> Verdict:
        if isinstance(sample.target, str):
            return MultipleChoice().at_once(answer, sample)
        verdict = SeveralChoices().at_once(answer, sample)
        return Verdict(verdict.extracted, {"accuracy": verdict.scores["accuracy"]}, verdict.method)

    def prepare(self) -> None:
        """Needs no library."""

    def at_length(self, answer: str, sample: Sample) -> Verdict:
        return self.at_once(answer, sample)


def named_letters(answer: str, letters: frozenset[str]) -> tuple[frozenset[str], str]:
    """The options that an answer names, and how that was read; none and ``none`` where it says something else."""
    marked = list(_MARKED.finditer(answer))
    text = marked[-1]["letters"] if marked else answer
    bare = _BETWEEN.sub(" ", text).strip()
    parts = (bare.upper() if marked else bare).split()
    named = frozenset("".join(parts))
    if not parts or not all(_LETTERS.fullmatch(part) for part in parts) or not named <= letters:
        return frozenset(), "none"
    return named, "marker" if marked else "letters"
