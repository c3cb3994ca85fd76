"""What is known of the job at any moment, for whoever reads its folder: ``progress.json`` and ``ledger.json``."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from .units import Json, Work, described

EVERY_S = 0.25
LEDGER_EVERY_S = 2.0


@dataclass
class Ledger:
    """``ledger.json`` says of every unit how it stands and how many rows were to be answered."""

    version: str
    work: Work
    _progress_at: float = 0.0
    _ledger_at: float = 0.0

    def touch(self) -> None:
        """Writes what has not been written for a while."""
        now = time.monotonic()
        if now - self._progress_at >= EVERY_S:
            self._progress_at = now
            _replace(Path("progress.json"), self._progress())
        if now - self._ledger_at >= LEDGER_EVERY_S:
            self._ledger_at = now
            self.write()

    def write(self) -> None:
        _replace(Path("progress.json"), self._progress())
        units = [told for unit in self.work.units for told in described(unit)]
        _replace(Path("ledger.json"), {"opencompass": self.version, "units": units, "problems": self.work.problems})

    def _progress(self) -> Json:
        units = self.work.units
        datasets: dict[str, Json] = {}
        for unit in units:
            entry = datasets.setdefault(unit.dataset, {"done": 0, "total": 0})
            entry["done"] += unit.done
            known = entry["total"] is not None and unit.total is not None
            entry["total"] = entry["total"] + unit.total if known else None
        totals = [entry["total"] for entry in datasets.values()]
        return {
            "stage": "infer" if any(unit.state in ("waiting", "infer") for unit in units) else "score",
            "done": sum(unit.done for unit in units),
            "total": None if None in totals else sum(totals),
            "datasets": datasets,
        }


def _replace(path: Path, content: Json) -> None:
    aside = path.with_name(f".{path.name}.tmp")
    aside.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    aside.replace(path)
