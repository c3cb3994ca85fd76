"""One job of an arena as the watcher is told of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from bridge.progress import JobProgress, Watcher

TOLD_EVERY_S = 0.25


@dataclass
class Counter:
    watcher: Watcher
    progress: JobProgress
    _told_at: float = 0.0

    def count(self, good: bool) -> None:
        was = self.progress
        self.progress = replace(was, done=was.done + 1, requests=was.requests + 1, failed=was.failed + (not good))
        if time.monotonic() - self._told_at > TOLD_EVERY_S:
            self._told_at = time.monotonic()
            self.watcher.jobs([self.progress])

    def close(self) -> None:
        self.watcher.jobs([replace(self.progress, state="done")])
