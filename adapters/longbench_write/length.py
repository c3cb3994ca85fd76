"""S_l: how near the length of what was written is to what was asked for."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LATIN = re.compile(r"\b[a-zA-Z]+\b")
_BOUNDS = (500, 2000, 4000)
BUCKETS = ("under 500", "500 to 1999", "2000 to 3999", "4000 and more")
"""Required words: the bounds are those of the table in the paper."""


class Words(NamedTuple):
    """A Chinese character is a word, and so is a run of Latin letters."""

    chinese: int
    latin: int

    @property
    def total(self) -> int:
        return self.chinese + self.latin


def count_words(text: str) -> Words:
    r"""As the paper counts: characters from U+4E00 to U+9FFF, and matches of ``\b[a-zA-Z]+\b``.

    A Chinese character is a word character to ``\b``: letters right beside one are not counted. Digits never are.
    """
    return Words(len(_CHINESE.findall(text)), len(_LATIN.findall(text)))


def length_score(required: int, written: int) -> float:
    """From 0 to 100: 100 at the required length x, 0 from 4x upwards and from x/3 downwards; nothing written is 0.

    Above: 100 max(0, 1 - (y/x - 1) / 3); below: 100 max(0, 1 - (x/y - 1) / 2).
    """
    if written == 0:
        return 0.0
    if written > required:
        return 100 * max(0.0, 1 - (written / required - 1) / 3)
    return 100 * max(0.0, 1 - (required / written - 1) / 2)


def bucket_of(required: int) -> str:
    return BUCKETS[bisect_right(_BOUNDS, required)]
