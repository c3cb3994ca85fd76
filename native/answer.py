"""What a model says is not all answer: thinking is cut off before anything is read out of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPEN = re.compile(r"<(think|thinking|thought|reasoning)>", re.IGNORECASE)
_CLOSE = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parted:
    """A response in its two parts."""

    answer: str
    thinking: str


def without_thinking(response: str) -> Parted:
    """Cuts ``<think>…</think>`` off the front.

    Chat templates often swallow the opening tag, so a lone closing tag ends the thinking too. Thinking that was never
    closed is thinking to the end: such a response was cut off and has no answer. Tags further on, behind text that is
    part of the answer, are left alone.
    """
    opened = _OPEN.match(response.lstrip())
    closed = _last_close(response, opened is not None)
    if closed is None:
        return Parted("", response.strip()) if opened else Parted(response, "")
    thinking = _OPEN.sub("", response[: closed.start()], count=1)
    return Parted(response[closed.end() :].strip(), thinking.strip())


def _last_close(response: str, opened: bool) -> re.Match[str] | None:
    """The closing tag that ends the thinking: of the block at the front, or the only one where no tag opens."""
    closed = _CLOSE.search(response)
    if closed is None or opened:
        return closed
    return closed if _OPEN.search(response, 0, closed.start()) is None else None
