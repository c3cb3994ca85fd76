"""The words of the pages in another language, by their English ones.

English stands in the templates; a catalogue is a JSON object of English to the other language beside them. What a
catalogue lacks is shown in English; a test demands that none lacks anything that a template asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files

from bridge.report.text import plural

LANGUAGES = {"en": "English", "zh": "中文"}
Translate = Callable[[str], str]


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Empty for English."""
    import orjson

    if language == "en":
        return {}
    text = files("bridge.report.templates").joinpath(f"{language}.json").read_text(encoding="utf-8")
    words: dict[str, str] = orjson.loads(text)
    return words


def translator(language: str) -> Translate:
    words = catalogue(language)
    return lambda english: words.get(english, english)


def english(text: str) -> str:
    return text


def counted(n: int, noun: str, _: Translate = english) -> str:
    """``1 sample``, ``1,234 samples``; in a language without plurals by its own pattern."""
    pattern = f"{{n}} {noun}s"
    other = _(pattern)
    return plural(n, noun) if other == pattern else other.format(n=f"{n:,}")
