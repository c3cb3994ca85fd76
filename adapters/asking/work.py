"""Works through a list with so many workers at a time, and tells ``progress.json`` how far it is."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import TypeVar

T = TypeVar("T")
_EVERY_S = 0.5


class Progress:
    """One stage of a job, as ``Job`` describes ``progress.json``."""

    def __init__(self, path: Path, stage: str, dataset: str, *, done: int, total: int) -> None:
        self._path, self._stage, self._dataset = path, stage, dataset
        self._done, self._total = done, total
        self._told_at = 0.0
        self._tell()

    def step(self) -> None:
        self._done += 1
        if self._done == self._total or monotonic() - self._told_at >= _EVERY_S:
            self._tell()

    def _tell(self) -> None:
        self._told_at = monotonic()
        counts = {"done": self._done, "total": self._total}
        write_whole(self._path, json.dumps({**counts, "stage": self._stage, "datasets": {self._dataset: counts}}))


async def for_each(
    items: Sequence[T], work: Callable[[T], Awaitable[None]], *, concurrency: int, progress: Progress
) -> None:
    """Does ``work`` on every item, at most ``concurrency`` at a time; what it raises ends all of it."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)
            progress.step()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, len(items))):
            group.create_task(worker())


def write_whole(path: Path, text: str) -> None:
    """Readers see the old content or the new one, never half of it."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
