"""Tells the watcher, a few times a second, how the jobs that run stand: their own word, and the gateway's counts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bridge.endpoint.gateway import Gateway
from bridge.progress import JobProgress, Watcher

EVERY_S = 0.25


@dataclass
class Observer:
    watcher: Watcher
    gateway: Gateway | None
    _seen: dict[str, JobProgress] = field(default_factory=dict)
    _running: dict[str, Path] = field(default_factory=dict)

    @contextmanager
    def watching(self) -> Iterator[None]:
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            self._look()

    @contextmanager
    def job(self, name: str, folder: Path) -> Iterator[None]:
        """For the time that the job runs; ``name`` is the one of its traffic."""
        self._seen[name] = JobProgress(name, "running")
        self._running[name] = folder
        try:
            yield
        finally:
            self._look()
            del self._running[name]
            self._seen[name] = replace(self._seen[name], state="done")

    async def _watch(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(EVERY_S)

    def _look(self) -> None:
        for name, folder in self._running.items():
            self._seen[name] = self._count(replace(self._seen[name], **_told(folder)))
        self.watcher.jobs(list(self._seen.values()))

    def _count(self, progress: JobProgress) -> JobProgress:
        if self.gateway is None or not self.gateway.knows(progress.job):
            return progress
        counts = self.gateway.counts(progress.job)
        return replace(progress, requests=counts.requests, cached=counts.cached, failed=counts.failed)


def _told(folder: Path) -> dict[str, Any]:
    """What the job itself says in ``progress.json``."""
    try:
        told = json.loads((folder / "progress.json").read_bytes())
    except (OSError, ValueError):
        return {}
    known = ("done", "total", "stage", "requests", "cached", "failed")
    return {key: told[key] for key in known if isinstance(told, dict) and key in told}
