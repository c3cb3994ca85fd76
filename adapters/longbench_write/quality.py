"""S_q: a judge's marks from 1 to 5 in six dimensions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from bridge.adapters.asking.reading import Unreadable, json_object

DIMENSIONS = ("Relevance", "Accuracy", "Coherence", "Clarity", "Breadth and Depth", "Reading Experience")
PROMPT = Path(__file__).with_name("judge_prompt.txt")
REQUEST, RESPONSE = "$INST$", "$RESPONSE$"
"""What stands in a judge prompt for the task and for what the model wrote; a user's own prompt has them too."""
_PLACES = re.compile(re.escape(REQUEST) + "|" + re.escape(RESPONSE))

Marks = Mapping[str, int]


def fill(prompt: str, request: str, response: str) -> str:
    """The judge prompt for one text. What the two contain is never taken for a placeholder."""
    return _PLACES.sub(lambda place: request if place.group() == REQUEST else response, prompt)


def read_marks(answer: str) -> Marks:
    """The six marks in a judge's answer. Raises Unreadable: a mark that is missing or off the scale is no 3."""
    found = {name.strip().casefold(): value for name, value in json_object(answer).items()}
    return {name: _mark(name, found) for name in DIMENSIONS}


def dimension_score(mark: float) -> float:
    """A mark, or a mean of marks, on the scale from 0 to 100."""
    return (mark - 1) * 25


def quality_score(marks: Marks) -> float:
    """The mean of the six dimensions, from 0 to 100."""
    return fmean(dimension_score(marks[name]) for name in DIMENSIONS)


def metric_of(dimension: str) -> str:
    """``quality_breadth_and_depth``."""
    return "quality_" + dimension.lower().replace(" ", "_")


def _mark(name: str, found: Mapping[str, object]) -> int:
    if name.casefold() not in found:
        raise Unreadable(f"{name!r} is missing")
    value = found[name.casefold()]
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value not in (1, 2, 3, 4, 5):
        raise Unreadable(f"{name!r} is {value!r}, not a whole number from 1 to 5")
    return int(value)
