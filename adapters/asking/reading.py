"""Reads a judge's answer.  Strict about what is said, lenient about what is written around it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from bridge.spec import JsonObject

_FENCE = re.compile(r"```(?:json)?[ \t]*\n?(.*?)```", re.DOTALL | re.IGNORECASE)


class Unreadable(ValueError):
    """Why a judge's answer cannot be read, as a part of a sentence: ``it has no 'Clarity'``."""


def json_object(text: str) -> JsonObject:
    """The JSON object in a judge's answer: bare, fenced, or after some prose. Raises Unreadable."""
    for candidate in [*_FENCE.findall(text), text]:
        found = list(_objects(candidate))
        if found:
            return found[-1]
    raise Unreadable("there is no JSON object in it")


def _objects(text: str) -> Iterator[JsonObject]:
    """Every outermost object of the text. Line breaks inside strings are let pass: judges write them."""
    decoder = json.JSONDecoder(strict=False)
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield value
        at = text.find("{", end)
