"""Ten small datasets through bridge's launcher beside the ``opencompass`` command on the same configuration.

    pytest -m bench tests/bench/test_opencompass_bench.py -s

The command gets what is fastest for it: one task that infers and one that scores, both concurrent, bytecode compiled.
Prints wall and CPU time of each, and how often the framework was imported. Asserts that the predictions are the same,
and no timing.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import opencompass_toys as toys
import pytest
from fault_server import Fault, FaultServer
from opencompass_by_hand import by_hand, config_by_hand, opencompass_layout, reference_python, write_tokenizer
from opencompass_cost import LATENCY_S, measured, predictions
from opencompass_runs import make_task, run_task
from server_thread import serving

from bridge import envs
from bridge.registry import backend

pytestmark = pytest.mark.bench

SMALL = [
    *("gsm8k", "ARC_c", "ARC_e", "hellaswag"),
    {"name": "mmlu", "subsets": list(toys.MMLU)[:2]},
    {"name": "bbh", "subsets": list(toys.BBH)},
    {"name": "ceval", "subsets": list(toys.CEVAL)},
]
"""Ten for OpenCompass."""


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
