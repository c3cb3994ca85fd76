"""Asks a judge until its answer can be read.  An answer that cannot be read is an error, never a score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bridge.adapters.asking.model import Model, NotAnswered, Reply
from bridge.adapters.asking.reading import Unreadable
from bridge.adapters.asking.thinking import without_thinking
from bridge.spec import JsonObject

T = TypeVar("T")
_SHOWN_BACK_CHARS = 2000
_SEEDS_APART = 1000
"""Far enough from the seeds of votes."""


class NotUnderstood(NotAnswered):
    """The judge has answered, and none of its answers could be read."""


@dataclass(frozen=True, slots=True)
class Judgment(Generic[T]):
    value: T
    response: str
    """What the judge wrote, as it came."""
    attempts: int


async def judged(judge: Model, request: JsonObject, read: Callable[[str], T], *, attempts: int) -> Judgment[T]:
    """What ``read`` makes of the judge's answer.

    Where it raises Unreadable, the judge is shown its answer and asked again: a request of its own, so that a cache
    cannot give the same answer once more. Raises NotUnderstood after so many attempts, NotAnswered when a request
    fails.
    """
    messages = list(request["messages"])
    for attempt in range(1, attempts + 1):
        reply = await judge.ask({**request, "messages": messages})
        try:
            return Judgment(read(without_thinking(reply.text)), reply.text, attempt)
        except Unreadable as error:
            why = str(error)
        messages += _once_more(reply, why)
    raise NotUnderstood(f"the judge's answer could not be read in {attempts} attempts, last: {why}")


def asked_anew(request: JsonObject, rounds: int) -> JsonObject:
    """The request of a judge that has not been understood in so many earlier rounds: another one each time.

    The gateway keeps every answer, also one that cannot be read, and would give the same one for ever.
    """
    return {**request, "seed": (request.get("seed") or 0) + _SEEDS_APART * rounds} if rounds else request


def rounds_of(entry: JsonObject | None) -> int:
    """In how many rounds the judge has not been understood, by the journal's entry about the same thing."""
    return int(entry.get("rounds", 0)) if entry else 0


def failure(error: NotAnswered, rounds: int) -> JsonObject:
    """What the journal keeps where there is no judgment."""
    return {"error": str(error), "rounds": rounds + isinstance(error, NotUnderstood)}


def _once_more(reply: Reply, why: str) -> list[JsonObject]:
    cut = " It was cut off before its end; be brief." if reply.finish_reason == "length" else ""
    complaint = f"Your answer cannot be used: {why}.{cut} Give it again, as one JSON object of the form asked for."
    return [
        {"role": "assistant", "content": reply.text[:_SHOWN_BACK_CHARS]},
        {"role": "user", "content": complaint},
    ]
