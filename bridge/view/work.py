"""What takes longer than a page may: indexes and comparisons, each in a process of its own, its result in a file.

A process of its own keeps the server small and its pages quick. Results lie beside the run where it can be written to,
else in the user's cache folder, under a name that changes with what they were made of.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bridge.home import home
from bridge.report.sample_index import fingerprint, index_path, is_fresh
from bridge.view.library import Run
from bridge.view.samples import SampleIndex

MAX_KEPT = 200
"""Files in the cache folder; the oldest go."""
VERSION = "1"


@dataclass
class _Job:
    process: asyncio.subprocess.Process
    stderr: str = ""
    waiting: asyncio.Task[None] | None = None

    async def wait(self, stdin: bytes) -> None:
        _, told = await self.process.communicate(stdin)
        lines = told.decode("utf-8", "replace").strip().splitlines()
        self.stderr = lines[-1] if lines else f"it ended with exit code {self.process.returncode}"

    @property
    def done(self) -> bool:
        return self.waiting is not None and self.waiting.done()


@dataclass
class Work:
    """Starts what is missing, and knows what has failed."""

    cache: Path
    _jobs: dict[Path, _Job] = field(default_factory=dict)
    _open: dict[str, tuple[str, SampleIndex]] = field(default_factory=dict)
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Two pages that want the same thing at the same time start it once."""

    async def index(self, run: Run) -> SampleIndex | None:
        """The run's index; None while it is being made. Raises OSError where it could not be."""
        made_of = fingerprint(run.sources)
        known = self._open.get(run.key)
        if known is not None and known[0] == made_of:
            return known[1]
        aside = self.cache / f"index-{_digest(str(run.root.resolve()))}.sqlite"
        path = next((path for path in (index_path(run.root), aside) if is_fresh(path, run.sources)), None)
        if path is None:
            await self._start(aside, ("bridge.view.index_job", str(run.root), str(aside)))
            return None
        self._settle(aside)
        if known is not None:
            known[1].close()
        self._open[run.key] = made_of, SampleIndex(path)
        return self._open[run.key][1]

    async def comparison(self, sides: Sequence[tuple[Run, str]]) -> Path | None:
        """The file with the comparison, its flips beside it; None while it is being made. Raises OSError as above.

        ``sides``: each run with the rest of its argument, ``:model@backend``.
        """
        made_of = [
            VERSION,
            *(f"{run.root.resolve()}{rest} {run.stamp} {fingerprint(run.sources)}" for run, rest in sides),
        ]
        path = self.cache / f"comparison-{_digest(*made_of)}.json"
        if not path.exists():
            # By stdin: a model's name can hold what no argument can.
            told = orjson.dumps([f"{run.root}{rest}" for run, rest in sides])
            await self._start(path, ("bridge.view.comparison_job", str(path)), told)
            return None
        self._settle(path)
        return path

    async def _start(self, path: Path, module_and_arguments: Sequence[str], stdin: bytes = b"") -> None:
        async with self._starting:
            await self._start_alone(path, module_and_arguments, stdin)

    async def _start_alone(self, path: Path, module_and_arguments: Sequence[str], stdin: bytes) -> None:
        job = self._jobs.get(path)
        if job is not None and job.done and job.process.returncode == 0:
            # It was made, and what it was made of has changed since.
            job = None
        if job is None:
            self.cache.mkdir(parents=True, exist_ok=True)
            self._prune()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *module_and_arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            job = self._jobs[path] = _Job(process)
            job.waiting = asyncio.create_task(job.wait(stdin))
        elif job.done:
            del self._jobs[path]
            raise OSError(job.stderr)

    def _settle(self, path: Path) -> None:
        """Forgets the process that has made this, once it has ended."""
        job = self._jobs.get(path)
        if job is not None and job.done:
            del self._jobs[path]

    def _prune(self) -> None:
        kept = sorted(self.cache.glob("*-*.*"), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in kept[MAX_KEPT:]:
            old.unlink(missing_ok=True)

    async def stop(self) -> None:
        """Ends what is still running."""
        for job in self._jobs.values():
            if job.process.returncode is None:
                job.process.kill()
            if job.waiting is not None:
                await job.waiting
        for _, index in self._open.values():
            index.close()


def flips_path(comparison: Path) -> Path:
    """All pairs that differ, beside the comparison."""
    return comparison.with_suffix(".sqlite")


def cache_folder() -> Path:
    return home() / "view"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


Unreadable = (OSError, sqlite3.Error)
