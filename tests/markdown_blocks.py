"""The Markdown pages of the project and the fenced blocks in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)(?: (?P<info>[^\n]*))?\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    page: Path
    language: str
    info: str
    """The rest of the fence's line: a file's name."""
    text: str

    @property
    def id(self) -> str:
        return f"{self.page.relative_to(ROOT)} {self.info or next(iter(self.text.splitlines()), '')}"


def blocks(*languages: str) -> Iterator[Block]:
    """Of all pages."""
    for page in PAGES:
        for fence in _FENCE.finditer(page.read_text(encoding="utf-8")):
            if fence["language"] in languages:
                yield Block(page, fence["language"], fence["info"] or "", fence["text"])
