"""A response without the thinking that some models write in front of it."""

from __future__ import annotations

import re

_TAG = "(?:think|thinking|thought|reasoning)>"
_OPEN = re.compile(f"<{_TAG}", re.IGNORECASE)
_CLOSE = re.compile(f"</{_TAG}", re.IGNORECASE)


def without_thinking(response: str) -> str:
    """What follows a ``<think>…</think>`` at the front; templates often leave out the opening tag.

    Thinking that is not closed has no answer behind it: the result is empty. Any other response is returned as it is.
    """
    opened, closed = _OPEN.search(response), _CLOSE.search(response)
    at_the_front = opened is not None and not response[: opened.start()].strip()
    if closed is None:
        return "" if at_the_front else response
    if at_the_front or opened is None or opened.start() > closed.start():
        return response[closed.end() :].strip()
    return response
