"""Ten small datasets through bridge's launcher beside the ``opencompass`` command on the same configuration.

The command gets what is fastest for it: one task that infers and one that scores, both concurrent, bytecode compiled.
Prints wall and CPU time of each, and how often the framework was imported. Asserts that the predictions are the same,
and no timing.
"""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import opencompass_toys as toys
import pytest
from fault_server import Fault, FaultServer
from opencompass_by_hand import by_hand, config_by_hand, opencompass_layout, reference_python, write_tokenizer
from opencompass_runs import make_task, run_task
from server_thread import serving

from bridge import envs
from bridge.registry import backend

pytestmark = pytest.mark.bench

LATENCY_S = 0.05
SMALL = [
    *("gsm8k", "ARC_c", "ARC_e", "hellaswag"),
    {"name": "mmlu", "subsets": list(toys.MMLU)[:2]},
    {"name": "bbh", "subsets": list(toys.BBH)},
    {"name": "ceval", "subsets": list(toys.CEVAL)},
]
"""Ten for OpenCompass."""


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


@pytest.mark.parametrize("limit", [4, 60])
def test_ten_datasets(limit: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python, reference = asyncio.run(envs.ensure(backend("opencompass").env)), reference_python()
    toys.write_all(tmp_path / "data", limit)
    opencompass_layout(tmp_path / "data", tmp_path / "cache")
    tokenizer = write_tokenizer(tmp_path / "tokenizer")
    with serving(FaultServer(answer=toys.answer, model="tiny", default=Fault(latency_s=LATENCY_S))) as thread:
        url = thread.server.base_url
        task = make_task(SMALL, data=str(tmp_path / "data"), limit=limit, concurrency=8)
        ran, mine = measured(thread.server, 1, lambda: run_task(task, url, python, tmp_path / "run"))
        units = json.loads((ran.job_folder() / "ledger.json").read_text(encoding="utf-8"))["units"]
        abbrs = [unit["abbr"] for unit in units]
        config = config_by_hand(abbrs=abbrs, limit=limit, base_url=url, tokenizer=tokenizer)
        hand, theirs = measured(
            thread.server, 3, lambda: by_hand(reference, config, tmp_path / "hand", url, tmp_path / "cache")
        )
    assert predictions(ran.job_folder() / "out/predictions/model") == predictions(hand / "predictions/tiny")
    assert mine.requests == theirs.requests == limit * 10
    with capsys.disabled():
        print(f"\n{len(units)} datasets of {limit} rows, {LATENCY_S * 1000:.0f} ms latency, 8 in flight")
        print(f"  opencompass by hand  {theirs}")
        print(f"  through bridge       {mine}")
        faster, less = theirs.wall_s / mine.wall_s, theirs.cpu_s / mine.cpu_s
        print(f"  bridge is {faster:.1f} times faster, with {less:.1f} times less CPU")
