"""Short answers with aliases, compared as TriviaQA's own script compares them.

Both sides lose case, punctuation, underscores, articles and extra blanks; an answer is right where it then equals an
alias. ``f1`` is the overlap of words with the best alias. What is compared stands behind the last ``ANSWER:`` of the
text, else it is the last line.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from dataclasses import dataclass

from bridge.native.benchmark import Metric, Sample, Verdict

_MARKER = re.compile(r"(?i:answer)[*_\s]{0,8}:(?P<text>[^\n]*)")
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation + "‘’´`", " "))


@dataclass(frozen=True)
class Trivia:
    """``exact_match`` with any of the target's aliases (primary), and ``f1``."""

    name: str = "trivia"
    metrics: tuple[Metric, ...] = (Metric("exact_match"), Metric("f1"))

    def at_once(self, answer: str, sample: Sample) -> Verdict:
        text, method = stated(answer)
        said = trivia_normalised(text)
        if not said:
            return Verdict(None, {"exact_match": 0.0, "f1": 0.0}, "none")
        aliases = [trivia_normalised(alias) for alias in sample.target]
        scores = {"exact_match": float(said in aliases), "f1": max(word_f1(said, alias) for alias in aliases)}
        return Verdict(text, scores, method)

    def prepare(self) -> None:
        """Needs no library."""

    def at_length(self, answer: str, sample: Sample) -> Verdict:
        return self.at_once(answer, sample)


def stated(answer: str) -> tuple[str, str]:
    """The short answer in a text, and how it was found."""
    marked = list(_MARKER.finditer(answer))
    if marked and (text := marked[-1]["text"].strip(' \t*_`"')):
        return text, "marker"
    lines = [line.strip(' \t*_`"') for line in answer.splitlines() if line.strip()]
    return (lines[-1], "last_line") if lines else ("", "none")


def trivia_normalised(text: str) -> str:
    return " ".join(_ARTICLE.sub(" ", text.replace("_", " ").lower().translate(_PUNCTUATION)).split())


def word_f1(said: str, truth: str) -> float:
    """Harmonic mean of precision and recall of the words, each as often as it stands there."""
    left, right = said.split(), truth.split()
    common = sum((Counter(left) & Counter(right)).values())
    return 2 * common / (len(left) + len(right)) if common else 0.0
