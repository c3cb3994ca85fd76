"""How far a dataset is: written by its process, read by the one that forked it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

EVERY_S = 0.2


class Progress:
    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock = threading.Lock()
        self._state: dict[str, int | str | None] = {"done": 0, "total": None, "stage": "load"}
        self._written = 0.0

    def stage(self, name: str) -> None:
        self._state["stage"] = name
        self._write()

    def total(self, rows: int) -> None:
        self._state |= {"total": rows, "done": 0}
        self._write()

    def step(self) -> None:
        with self._lock:
            self._state["done"] = int(self._state["done"] or 0) + 1
            if time.monotonic() - self._written > EVERY_S:
                self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        write(self.path, self._state)


def write(path: Path, state: object) -> None:
    """Readers see the old content or the new one."""
    aside = path.with_name(f".{path.name}.tmp")
    aside.write_text(json.dumps(state), encoding="utf-8")
    aside.replace(path)


def read(path: Path) -> dict[str, int | str | None]:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
