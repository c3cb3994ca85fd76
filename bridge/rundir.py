"""The run directory: where everything of one run is, written so that a kill at any moment leaves it readable."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bridge.errors import OutputError


def slug(name: str) -> str:
    """``name`` as one path component, the same for the same name and different for different ones."""
    safe = re.sub(r"[^A-Za-z0-9._+=@-]", lambda m: f"%{ord(m.group()):02X}", name)
    return f"%2E{safe[1:]}" if safe.startswith(".") else safe


def write_atomic(path: Path, data: str | bytes) -> None:
    """Readers see the old content or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    aside.write_bytes(data.encode() if isinstance(data, str) else data)
    aside.replace(path)


@dataclass(frozen=True)
class RunDir:
    """Paths inside one run's folder; nothing is created before it is written."""

    root: Path

    @property
    def spec(self) -> Path:
        return self.root / "spec.yaml"

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.json"

    @property
    def requests(self) -> Path:
        """Cache and traffic (SQLite)."""
        return self.root / "requests.sqlite"

    @property
    def report_json(self) -> Path:
        return self.root / "report.json"

    @property
    def report_md(self) -> Path:
        return self.root / "report.md"

    @property
    def report_html(self) -> Path:
        return self.root / "report.html"

    def job(self, job_id: str, model: str | None = None) -> Path:
        """Folder of a job; ``model`` where the run has several."""
        middle = [slug(model)] if model else []
        return self.root.joinpath("jobs", *middle, slug(job_id))

    def samples(self, backend: str, dataset: str, model: str | None = None) -> Path:
        middle = [slug(model)] if model else []
        return self.root.joinpath("samples", *middle, slug(backend), f"{slug(dataset)}.jsonl")

    def serve_log(self, model: str) -> Path:
        return self.root / "serve" / slug(model) / "log.txt"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the run directory for this process; a second bridge on it is refused at once."""
        with self._lock_file() as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.seek(0)
                owner = handle.read().strip() or "unknown"
                raise OutputError(
                    f"{self.root}: another bridge (process {owner}) is running in it; wait for it or give --output"
                ) from None
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield

    def _lock_file(self) -> IO[str]:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            return (self.root / ".lock").open("a+", encoding="utf-8")
        except OSError as error:
            message = f"{self.root}: cannot be written ({error.strerror}); give a folder on a disk that can be written"
            raise OutputError(message) from error
