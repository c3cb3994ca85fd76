"""The words of the pages in another language, by their English ones.

English stands in the templates; a catalogue is a JSON object of English to the other language beside them. What a
catalogue lacks is shown in English; a test demands that none lacks anything that a template asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files

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
