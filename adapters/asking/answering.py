"""The first stage of a job that asks by itself: an answer, or why there is none, for everything that is to be asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from bridge.adapters.asking.journal import Journal, Key
from bridge.adapters.asking.model import Model, NotAnswered, Reply
from bridge.adapters.asking.results import PROGRESS
from bridge.adapters.asking.work import Progress, for_each
from bridge.spec import JsonObject


class Ask(Protocol):
    """One sample, to be asked for the n-th time."""

    @property
    def key(self) -> Key: ...

    @property
    def body(self) -> JsonObject:
        """The request."""
        ...

    @property
    def sha256(self) -> str:
        """The request's hash."""
        ...


A = TypeVar("A", bound=Ask)


def is_done(entry: JsonObject | None, about: str, sha256: str) -> bool:
    """There is a result, and it is about this very thing; a failure is tried again."""
    return entry is not None and entry.get(about) == sha256 and "error" not in entry


async def answered(
    asks: Sequence[A],
    model: Model,
    answers: Journal,
    *,
    dataset: str,
    concurrency: int,
    text_of: Callable[[Reply], str],
) -> list[A]:
    """Asks for every answer that is not in the journal yet; those that are in it at the end."""

    async def one(ask: A) -> None:
        try:
            reply = await model.ask(ask.body)
        except NotAnswered as error:
            answers.add(ask.key, {"request_sha256": ask.sha256, "error": str(error)})
            return
        entry: JsonObject = {"request_sha256": ask.sha256, "response": text_of(reply), "usage": reply.usage}
        answers.add(ask.key, {**entry, "finish_reason": reply.finish_reason, "latency_s": reply.latency_s})

    todo = [ask for ask in asks if not _is_answered(ask, answers)]
    progress = Progress(Path(PROGRESS), "infer", dataset, done=len(asks) - len(todo), total=len(asks))
    await for_each(todo, one, concurrency=concurrency, progress=progress)
    return [ask for ask in asks if _is_answered(ask, answers)]


def _is_answered(ask: Ask, answers: Journal) -> bool:
    return is_done(answers.get(ask.key), "request_sha256", ask.sha256)
