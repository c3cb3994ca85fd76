"""Where rows come from: files, and patterns of their paths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Source:
    """One file of one split."""

    path: Path
    subset: str | None
    """None: there is only one, or the rows say it."""
    members: tuple[str, ...] = ()
    """Of a folder or tar with a file for each document: those that are meant."""


def regex_of(pattern: str, splits: tuple[str, ...], suffix: str) -> re.Pattern[str]:
    """What a pattern matches; the first place of a name captures it, the others have to agree."""
    text = re.escape(pattern).replace(r"\*", "[^/]*")
    for name, options in (("split", "|".join(map(re.escape, splits))), ("subset", r"[^/]+?")):
        place = re.escape("{" + name + "}")
        text = text.replace(place, f"(?P<{name}>{options})", 1).replace(place, f"(?P={name})")
    return re.compile(text + re.escape(suffix))
