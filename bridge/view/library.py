"""The runs in the folders that were given: what each has, and what is wrong with those that have nothing.

A run is known to the pages by a key, made of its folder's name; no address holds a path.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.errors import OutputError
from bridge.report.sample_index import Source, sources
from bridge.rundir import RunDir
from bridge.view.glance import glance

if TYPE_CHECKING:
    from bridge.report.schema import Report, ResultRow

MAX_DEPTH = 5
MAX_FOLDERS = 20_000
FRESH_S = 1.0
"""For so long a look at the folders is not repeated."""
_INSIDE = ("samples", "jobs", "exports", "serve", "node_modules", "__pycache__")


@dataclass(frozen=True)
class Column:
    """One model × backend × dataset of a run."""

    key: str
    row: ResultRow
    """The primary one."""
    number: int | None
    """Of its file in the index; None where it has no samples."""


class Run:
    """A folder with a report, or with what was to become one."""

    def __init__(self, key: str, root: Path, name: str, stamp: tuple[int, int]) -> None:
        self.key, self.root, self.name, self.stamp = key, root, name, stamp
        self.glance = None if stamp == NO_REPORT else glance(RunDir(root).report_json)

    @cached_property
    def _checked(self) -> tuple[Report | None, str]:
        if self.stamp == NO_REPORT:
            return None, f"not finished, or stopped: no report is here yet; 'bridge report {self.name}' makes one"
        from bridge.report.read import read_report

        try:
            return read_report(self.root), ""
        except OutputError as error:
            return None, str(error).replace(str(self.root), self.name)

    @property
    def report(self) -> Report | None:
        return self._checked[0]

    @property
    def problem(self) -> str:
        """Why there is no report; empty where there is one."""
        return self._checked[1]

    @cached_property
    def sources(self) -> list[Source]:
        return sources(self.report, self.root) if self.report else []

    @cached_property
    def keys(self) -> list[str]:
        """Of the columns, without the check of the whole report."""
        found: dict[str, None] = {}
        for row in self.glance.rows if self.glance else ():
            found[_unused(".".join((row.dataset, row.backend, row.model)), found)] = None
        return list(found)

    @cached_property
    def columns(self) -> dict[str, Column]:
        if self.report is None:
            return {}
        numbers = {id(source.row): number for number, source in enumerate(self.sources)}
        rows = [row for row in self.report.results if row.primary]
        return {key: Column(key, row, numbers.get(id(row))) for key, row in zip(self.keys, rows, strict=False)}

    @property
    def has_curve(self) -> bool:
        return (self.root / "finetuned.json").is_file()


NO_REPORT = (0, 0)


class Library:
    """Runs by key, as they are on disk now."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)
        self.too_many = False
        """There are more folders than were looked at."""
        self._runs: dict[str, Run] = {}
        self._looked = -FRESH_S

    def runs(self) -> list[Run]:
        """The newest first."""
        self._look()
        return sorted(self._runs.values(), key=_started, reverse=True)

    def run(self, key: str) -> Run | None:
        self._look()
        return self._runs.get(key)

    def _look(self) -> None:
        if time.monotonic() - self._looked < FRESH_S:
            return
        found: dict[str, Run] = {}
        self.too_many = False
        for root, name, stamp in self._folders():
            key = _unused(name, found)
            earlier = self._runs.get(key)
            same = earlier is not None and earlier.root == root and earlier.stamp == stamp
            found[key] = earlier if same and earlier else Run(key, root, name, stamp)
        self._runs = found
        self._looked = time.monotonic()

    def _folders(self) -> Iterator[tuple[Path, str, tuple[int, int]]]:
        seen: set[Path] = set()
        for folder in self.folders:
            for root in self._walked(folder.absolute()):
                if root not in seen and (stamp := _stamp(root)) is not None:
                    seen.add(root)
                    below = root.relative_to(folder.absolute())
                    yield root, str(below) if below.parts else root.name, stamp

    def _walked(self, top: Path) -> Iterator[Path]:
        depth = len(top.parts)
        for n, (at, names, files) in enumerate(os.walk(top)):
            if n >= MAX_FOLDERS:
                self.too_many = True
                return
            folder = Path(at)
            here = any(name in files for name in ("report.json", "manifest.json", "finetuned.json"))
            if here:
                yield folder
            deep = len(folder.parts) - depth >= MAX_DEPTH
            names[:] = [] if deep else sorted(n for n in names if not n.startswith(".") and n not in _INSIDE)


def _stamp(root: Path) -> tuple[int, int] | None:
    """Of the report; ``NO_REPORT`` where a run was begun; None where there is neither."""
    rundir = RunDir(root)
    try:
        stat = rundir.report_json.stat()
    except OSError:
        return NO_REPORT if rundir.manifest.is_file() or (root / "finetuned.json").is_file() else None
    return stat.st_mtime_ns, stat.st_size


def _started(run: Run) -> tuple[str, str]:
    return (run.glance.started_at if run.glance else "", run.key)


def _unused(name: str, taken: Container[str]) -> str:
    """Short, as it can stand in an address, and another one for every thing of the same name."""
    key = re.sub(r"[^\w.+=@-]", "~", name).lstrip(".") or "run"
    if len(key) > 120:
        key = f"{key[:100]}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    one, n = key, 1
    while one in taken:
        n += 1
        one = f"{key}-{n}"
    return one
