"""Scorers that bridge knows nothing of, and datasets that are made of others: VLMEvalKit's own numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import vlm_toys
from fault_server import FaultServer
from server_thread import serving

pytestmark = pytest.mark.env

LANGUAGES = ("ar", "cn", "en", "pt", "ru", "tr")
OTHERS = ("MTVQA_TEST", "CountBenchQA", "CV-Bench-2D", "TallyQA")


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with serving(FaultServer(answer=vlm_toys.answer)) as thread:
        yield thread.server


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("LMUData")
    for at, language in enumerate(LANGUAGES):
        vlm_toys.write(folder / f"MMMB_{language}.tsv", vlm_toys.choices(4 + at))
    vlm_toys.write(folder / "MTVQA_TEST.tsv", vlm_toys.short(6, category=lambda at: ["FR", "DE"][at % 2]))
    vlm_toys.write(folder / "CountBenchQA.tsv", vlm_toys.short(6))
    bench = [
        row
        | {
            "answer": f"({row['answer']})",
            "task": "Count",
            "source": "ADE20K",
            "split": "2D",
            "prompt": f"{row['question']} (A) (B)",
        }
        for row in vlm_toys.choices(8)
    ]
    vlm_toys.write(folder / "CV-Bench-2D.tsv", bench)
    vlm_toys.write(folder / "TallyQA.tsv", vlm_toys.short(6, category=lambda _: "simple"))
    return folder


@pytest.fixture(scope="module")
def ran(
    server: FaultServer, tables: Path, tmp_path_factory: pytest.TempPathFactory, kit_run: Any, kit_task: Any
) -> Any:
    task = kit_task([{"name": name, "path": str(tables)} for name in ("MMMB", *OTHERS)])
    return kit_run(task, server.base_url, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def hand(server: FaultServer, tables: Path, tmp_path_factory: pytest.TempPathFactory, kit_by_hand: Any) -> Any:
    return kit_by_hand(server.base_url, tables, tmp_path_factory.mktemp("hand"), "MMMB", *OTHERS)


@pytest.mark.parametrize("name", OTHERS)
def test_their_numbers_are_those_of_by_hand(ran: Any, hand: Any, name: str) -> None:
    row = ran.primary(name)
    assert row.value is not None, row.reason
    theirs = list(hand[name]["metrics"].values())
    scale = 1.0 if row.unit == "points" else 100.0
    assert any(value in (pytest.approx(row.value * scale), pytest.approx(row.value)) for value in theirs)


def test_a_dataset_made_of_others(ran: Any, hand: Any) -> None:
    row = ran.primary("MMMB")
    parts = [value for key, value in hand["MMMB"]["metrics"].items() if key.endswith("|Overall")]
    assert len(parts) == 6 and row.metric == "mean of Overall"
    assert row.value == pytest.approx(sum(parts) / 6) and row.n == sum(range(4, 10))
    assert ran.row("MMMB", "MMMB_ru | Overall").value in parts


def test_a_rate_is_recognised_by_the_samples_that_it_is_the_mean_of(ran: Any) -> None:
    row = ran.primary("CV-Bench-2D")
    assert (row.metric, row.unit, row.n) == ("accuracy", "fraction", 8)
    assert row.settings["family"] == "rate of 'hit'"
    assert row.value == sum(sample.scores["accuracy"] for sample in ran.samples("CV-Bench-2D").values()) / 8
