"""mmlu (57 subjects of 20 rows), bbh (18 tasks of 20) and gsm8k (600 rows): bridge beside the ``opencompass`` command.

    pytest -m bench tests/bench/test_opencompass_sets_bench.py -s

The command runs twice: with everything in one task, which is the fastest that it has, and with the partition that it
takes by itself. That one imports the framework for every part, so it is measured on ``BRIDGE_BENCH_PARTS`` parts
(default 3) and told per part; bridge's own figure is for all of them. Asserts that the predictions are the same, and no
timing.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import opencompass_toys as toys
import pytest
from fault_server import Fault, FaultServer
from opencompass_by_hand import ONE_TASK, by_hand, chosen_by_hand, opencompass_layout, reference_python, write_tokenizer
from opencompass_cost import Cost, measured, predictions
from opencompass_runs import make_task, run_task
from server_thread import serving

from bridge import envs
from bridge.adapters.opencompass import catalog
from bridge.registry import backend

pytestmark = pytest.mark.bench

SHARED = Path(__file__).parents[3] / "shared" / "data"
LATENCY_S = 0.02
IN_FLIGHT = 32
PARTS = int(os.environ.get("BRIDGE_BENCH_PARTS", "3"))
CHANGES = """
wanted = {wanted!r}
all_datasets = [(m, d) for m, d in all_datasets if d['abbr'] in wanted]
for m, d in all_datasets:
    d['reader_cfg'] = dict(d['reader_cfg'], test_range='[:{limit}]')
del wanted, m, d
"""


@dataclass(frozen=True)
class Set:
    name: str
    limit: int
    subsets: tuple[str, ...] = ()


def sets() -> list[Set]:
    tasks = tuple(sorted(path.stem for path in (SHARED / "bbh" / "bbh").glob("*.json")))
    return [Set("mmlu", 20), Set("bbh", 20, tasks), Set("gsm8k", 600)]


@pytest.mark.parametrize("name", ["mmlu", "bbh", "gsm8k"])
def test_a_whole_set(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not SHARED.exists():
        pytest.skip(f"{SHARED} is not there: real rows are not part of the repository")
    (one,) = [one for one in sets() if one.name == name]
    chosen = catalog.resolve(name)
    assert chosen is not None
    abbrs = chosen.configs[0].wanted(one.subsets)
    python, reference = asyncio.run(envs.ensure(backend("opencompass").env)), reference_python()
    opencompass_layout(SHARED, tmp_path / "cache")
    tokenizer = write_tokenizer(tmp_path / "tokenizer")

    def command(wanted: list[str], partition: str, folder: str) -> Any:
        changes = CHANGES.format(wanted=wanted, limit=one.limit)
        text = chosen_by_hand([chosen], changes, url, tokenizer, partition).replace(
            "max_workers=8", f"max_workers={IN_FLIGHT}"
        )
        return measured(thread.server, 0, lambda: by_hand(reference, text, tmp_path / folder, url, tmp_path / "cache"))

    with serving(FaultServer(answer=toys.answer, model="tiny", default=Fault(latency_s=LATENCY_S))) as thread:
        url = thread.server.base_url
        entry: dict[str, Any] = {"name": name, "limit": one.limit}
        task = make_task(
            [{**entry, "subsets": list(one.subsets)} if one.subsets else entry], data=str(SHARED), concurrency=IN_FLIGHT
        )
        ran, mine = measured(thread.server, 1, lambda: run_task(task, url, python, tmp_path / "run"))
        hand, together = command(abbrs, ONE_TASK, "together")
        _, apart = command(abbrs[:PARTS], "", "apart")
    assert predictions(ran.job_folder() / "out/predictions/model") == predictions(hand / "predictions/tiny")
    assert mine.requests == together.requests
    with capsys.disabled():
        print("\n".join(_told(one, abbrs, mine, together, apart)))


def _told(one: Set, abbrs: list[str], mine: Cost, together: Cost, apart: Cost) -> list[str]:
    parts = min(PARTS, len(abbrs))
    whole_s = apart.wall_s / parts * len(abbrs)
    latency = f"{LATENCY_S * 1000:.0f} ms latency, {IN_FLIGHT} in flight"
    return [
        f"\n{one.name}: {len(abbrs)} parts of {one.limit} rows, {latency}; predictions are the same",
        f"  through bridge                      {_cost(mine)}",
        f"  by hand, everything in one task     {_cost(together)}",
        f"  by hand, its own partition          {_cost(apart)}, {parts} of {len(abbrs)} parts: {whole_s:.0f} s for all",
        f"  bridge is {together.wall_s / mine.wall_s:.1f} times faster than one task, with "
        f"{together.cpu_s / mine.cpu_s:.1f} times less CPU, {whole_s / mine.wall_s:.0f} times faster than the parts",
    ]


def _cost(cost: Cost) -> str:
    rate = cost.requests / max(cost.asking_s, 1e-9)
    return (
        f"{cost.wall_s:7.1f} s wall  {cost.cpu_s:7.1f} s cpu  {cost.requests:5d} requests  {rate:6.1f}/s while asking  "
        f"{cost.requests / cost.wall_s:6.1f}/s end to end"
    )
