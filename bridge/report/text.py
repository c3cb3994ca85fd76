"""Foreign text made harmless for a terminal, a line, a file: what cannot be seen is written out, never acted on."""

from __future__ import annotations

from typing import Any


def visible(text: str) -> str:
    """``text`` with every character that is not printable (escape sequences, line ends, text direction) as its code."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _code(char) for char in text)


def one_line(text: str, limit: int = 160) -> str:
    """The beginning of ``text`` as one printable line of at most ``limit`` characters."""
    line = visible(" ".join(text[: 8 * limit].split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def well_formed(value: Any) -> Any:
    """``value``, with halves of surrogate pairs in its texts replaced: Python can hold them, UTF-8 and JSON cannot."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {well_formed(key): well_formed(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [well_formed(inner) for inner in value]
    return value


def plural(n: int, noun: str) -> str:
    """``1 sample``, ``1,234 samples``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _code(char: str) -> str:
    return char.encode("unicode_escape").decode()
