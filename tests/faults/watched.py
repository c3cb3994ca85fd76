"""Memory and open files of every process of a run, and whether they only ever grow."""

from __future__ import annotations

import os
import statistics
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

MB = 1 << 20
EVERY_S = 0.25
FEWEST = 20
"""Looks at a process, below which nothing is said about it."""
GROWTH = 1.3
"""Memory in the last quarter of a process's work over that at a quarter of it: more is a leak."""
MORE_FILES = 16
"""Open files, sockets among them, beyond the most of early on: more is a leak. A run's failures come in hundreds."""


class Look(NamedTuple):
    memory_mb: float
    n_files: int


@dataclass
class Watched:
    """The processes that have to do with ``folder``, but for this one, while work is done: what comes after it, such as
    a report, takes memory of its own."""

    folder: Path
    done: Callable[[], int]
    """How much has been done so far; no look counts where that is as before."""
    seen: dict[int, list[Look]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    _known: int = 0

    @contextmanager
    def sampling(self) -> Iterator[None]:
        over = threading.Event()

        def look_on() -> None:
            while not over.wait(EVERY_S):
                self.look()

        thread = threading.Thread(target=look_on, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def look(self) -> None:
        if (done := self.done()) == self._known:
            return
        self._known = done
        for process in Path("/proc").glob("[0-9]*"):
            if process.name == str(os.getpid()):
                continue
            try:
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(self.folder) not in words and not os.readlink(process / "cwd").startswith(str(self.folder)):
                    continue
                pages = int((process / "statm").read_text().split()[1])
                look = Look(pages * os.sysconf("SC_PAGE_SIZE") / MB, len(os.listdir(process / "fd")))
            except OSError:
                continue
            self.names[int(process.name)] = words[-60:]
            self.seen.setdefault(int(process.name), []).append(look)

    def long_lived(self) -> dict[int, tuple[Sequence[Look], Sequence[Look]]]:
        """Early and late looks at each process that lived long enough."""
        return {
            pid: (looks[len(looks) // 6 : len(looks) // 3], looks[-(len(looks) // 4) :])
            for pid, looks in self.seen.items()
            if len(looks) >= FEWEST
        }

    def lines(self) -> Iterator[str]:
        for pid, (early, late) in self.long_lived().items():
            yield (
                f"{self.names[pid]:>60}: {len(self.seen[pid])} looks, memory {_memory(early):.0f} -> "
                f"{_memory(late):.0f} MB, open files {_files(early)} -> {_files(late)}"
            )

    def leaks(self) -> Iterator[str]:
        """What has grown beyond ``GROWTH`` and ``MORE_FILES``."""
        for pid, (early, late) in self.long_lived().items():
            if _memory(late) > GROWTH * _memory(early):
                yield f"memory {_memory(early):.0f} -> {_memory(late):.0f} MB: {self.names[pid]}"
            if _files(late) > _files(early) + MORE_FILES:
                yield f"open files {_files(early)} -> {_files(late)}: {self.names[pid]}"


def _memory(looks: Sequence[Look]) -> float:
    return statistics.median(look.memory_mb for look in looks)


def _files(looks: Sequence[Look]) -> int:
    return max(look.n_files for look in looks)
