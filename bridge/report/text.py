"""Foreign text made harmless for a terminal or a single line: what cannot be seen is written out, never acted on."""

from __future__ import annotations


def visible(text: str) -> str:
    """``text`` with every character that is not printable (escape sequences, line ends, text direction) as its code."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _code(char) for char in text)


def one_line(text: str, limit: int = 160) -> str:
    """The beginning of ``text`` as one printable line of at most ``limit`` characters."""
    line = visible(" ".join(text[: 8 * limit].split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def plural(n: int, noun: str) -> str:
    """``1 sample``, ``1,234 samples``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _code(char: str) -> str:
    return char.encode("unicode_escape").decode()
