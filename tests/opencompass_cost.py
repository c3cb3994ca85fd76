"""What a run of OpenCompass costs: wall and CPU time of all its processes, requests, and while what time it asked."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fault_server import FaultServer

LATENCY_S = 0.05


@dataclass(frozen=True)
class Cost:
    wall_s: float
    cpu_s: float
    imports: int
    requests: int
    asking_s: float
    """From the first request to the last."""

    def __str__(self) -> str:
        rate = self.requests / max(self.asking_s, 1e-9)
        return (
            f"{self.wall_s:6.1f} s wall  {self.cpu_s:6.1f} s cpu  {self.imports} import(s)  "
            f"{self.requests} requests, {rate:5.1f}/s while asking"
        )


def measured(server: FaultServer, imports: int, work: Callable[[], Any]) -> tuple[Any, Cost]:
    server.journal.clear()
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    result = work()
    wall_s, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    times = [asked.at for asked in server.journal]
    return result, Cost(wall_s, cpu_s, imports, len(times), max(times) - min(times) + LATENCY_S)


def predictions(folder: Path) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
