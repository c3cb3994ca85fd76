"""Scorers that bridge knows nothing of, and datasets that are made of others: VLMEvalKit's own numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import vlm_toys
from fault_server import FaultServer
from server_thread import serving

from bridge.adapters.vlmevalkit.translate import FULL

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


ASPECTS = ["Creativity", "Richness", "Visual Perception", "Logical Coherence", "Answer Accuracy"]
SCORES = dict.fromkeys([*ASPECTS, "Image Relationship Understanding", "Overall Score"], 7)


def verdict(prompt: str) -> str:
    text = vlm_toys.text_of(prompt)
    if "Creativity" in text:
        return f'"Overall evaluation": "x",\n```json\n{json.dumps(SCORES)}\n```'
    return "8 6\nThe first one sees more." if "Assistant" in text else "hello"


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captions, open answers beside another model's, and dialogues."""
    folder = tmp_path_factory.mktemp("described")
    captions = [["a red square", "a square"], ["a blue square"], ["something else", "no square"]]
    rows = [{"index": at, "image": vlm_toys.png(at), "question": "Describe it."} for at in range(3)]
    vlm_toys.write(
        folder / "COCO_VAL.tsv", [row | {"answer": str(said)} for row, said in zip(rows, captions, strict=True)]
    )
    other = {"caption": "a square", "gpt4_ans": "a red square", "answer": "x"}
    kinds = ["conv", "detail", "complex"]
    vlm_toys.write(
        folder / "LLaVABench.tsv", [row | other | {"category": kind} for row, kind in zip(rows, kinds, strict=True)]
    )
    turns = {"question": str(["<ImageHere> one?", "two <ImageHere>?"]), "answer": str(["1", "2"])}
    pictures = {"image": str([vlm_toys.png(0), vlm_toys.png(1)]), "image_path": str(["a.png", "b.png"])}
    vlm_toys.write(folder / "MMDU.tsv", [row | turns | pictures for row in rows])
    return folder


def test_captions_open_answers_and_dialogues(
    described: Path, tmp_path: Path, kit_run: Any, kit_task: Any, kit_by_hand: Any
) -> None:
    with (
        serving(FaultServer(answer=lambda _: "a red square")) as model,
        serving(FaultServer(answer=verdict)) as judge,
    ):
        datasets = [{"name": name, "path": str(described)} for name in ("COCO_VAL", "LLaVABench", "MMDU")]
        served = {"name": "judge", "endpoint": {"base_url": judge.server.base_url}}
        task = kit_task(datasets, judge=served)
        ran = kit_run(task, model.server.base_url, tmp_path / "run", judge.server.base_url)
        hand = kit_by_hand(model.server.base_url, described, tmp_path / "hand", "COCO_VAL", env_spec=FULL)
    captions = ran.primary("COCO_VAL")
    assert captions.metric == "CIDEr" and captions.unit == "points"
    assert captions.value == pytest.approx(hand["COCO_VAL"]["metrics"]["CIDEr"])
    beside = ran.primary("LLaVABench")
    assert (beside.metric, beside.value) == ("overall | Relative Score (main)", pytest.approx(75.0))
    assert ran.primary("MMDU").value == pytest.approx(70.0)
    dialogue = ran.samples("MMDU")["1"].input
    assert [turn["role"] for turn in dialogue] == ["user", "assistant", "user"]
