"""Every family through the real VLMEvalKit, in its own environment: the same scores as by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import vlm_toys
from fault_server import FaultServer
from server_thread import serving

from bridge.adapters.vlmevalkit.translate import FULL

pytestmark = pytest.mark.env

JUDGED_LEAN, JUDGED_FULL = ("MathVista_MINI", "MMVet"), ("MathVision_MINI",)
TOYS = [name for name in vlm_toys.TABLES if name not in (*JUDGED_LEAN, *JUDGED_FULL)]
GENERATION = {"temperature": 0, "max_tokens": 64}

Same = tuple[str, str, dict[str, Any], str, float]
SAME: list[Same] = [
    ("MMBench_DEV_EN", "circular_accuracy", {"split": "dev"}, "split=dev|Overall", 1),
    ("MMBench_DEV_EN", "circular_accuracy", {"subset": "attribute_recognition"}, "split=dev|attribute_recognition", 1),
    ("MMBench_DEV_EN", "circular_accuracy", {"category": "coarse_perception"}, "split=dev|CP", 1),
    ("MMBench_DEV_EN_V11", "circular_accuracy", {}, "split=dev|Overall", 1),
    ("MMStar", "accuracy", {}, "split=none|Overall", 1),
    ("MMStar", "accuracy", {"subset": "math"}, "split=none|math", 1),
    ("MMStar", "accuracy", {"category": "geometry"}, "split=none|geometry", 1),
    ("MMVP", "pair_accuracy", {}, "Overall", 1),
    ("MMVP", "accuracy", {}, "Average", 1),
    ("MMMU_DEV_VAL", "accuracy", {"split": "validation"}, "split=validation|Overall", 1),
    ("MMMU_DEV_VAL", "accuracy", {"split": "dev"}, "split=dev|Overall", 1),
    ("MMMU_DEV_VAL", "accuracy", {"split": "validation", "subset": "Art"}, "split=validation|Art", 1),
    ("MME", "perception", {}, "perception", 1),
    ("MME", "reasoning", {}, "reasoning", 1),
    ("MME", "points", {"subset": "color"}, "color", 1),
    ("POPE", "f1", {}, "split=Overall|Overall", 100),
    ("POPE", "accuracy", {}, "split=Overall|acc", 100),
    ("POPE", "recall", {"subset": "popular"}, "split=popular|recall", 100),
    ("HallusionBench", "accuracy", {}, "split=Overall|aAcc", 100),
    ("HallusionBench", "figure_accuracy", {}, "split=Overall|fAcc", 100),
    ("HallusionBench", "question_accuracy", {"subset": "VD"}, "split=VD|qAcc", 100),
    ("AMBER", "mean_accuracy", {}, "Avg ACC", 100),
    ("VSR-zeroshot", "accuracy", {}, "acc", 100),
    ("VSR-zeroshot", "f1", {}, "f1_score", 1),
    ("VSR-zeroshot", "precision", {}, "precision", 100),
    ("ChartQA_TEST", "relaxed_accuracy", {"split": None}, "Overall", 100),
    ("ChartQA_TEST", "relaxed_accuracy", {"split": "test_human"}, "test_human", 100),
    ("TextVQA_VAL", "vqa_score", {}, "Overall", 100),
    ("DocVQA_VAL", "anls", {}, "Overall", 100),
    ("OCRVQA_TESTCORE", "accuracy", {}, "Overall", 100),
    ("OCRBench", "final_score", {}, "Final Score", 1),
    ("OCRBench", "final_score", {"subset": "Key Information Extraction"}, "Key Information Extraction", 1),
]
SAME_JUDGED: list[Same] = [
    ("MathVista_MINI", "accuracy", {}, "Task&Skill=Overall|acc", 100),
    ("MMVet", "score", {}, "Category=Overall|acc", 100),
    ("MathVision_MINI", "accuracy", {}, "Subject=Overall|acc", 100),
    ("MathVision_MINI", "accuracy", {"subset": "counting"}, "Subject=counting|acc", 100),
]


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with serving(FaultServer(answer=vlm_toys.answer)) as thread:
        yield thread.server


@pytest.fixture(scope="module")
def judge() -> Iterator[FaultServer]:
    with serving(FaultServer(answer=vlm_toys.judge)) as thread:
        yield thread.server


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vlm_toys.write_all(tmp_path_factory.mktemp("LMUData"))


@pytest.fixture(scope="module")
def ran(
    server: FaultServer, tables: Path, tmp_path_factory: pytest.TempPathFactory, kit_run: Any, kit_task: Any
) -> Any:
    datasets = [{"name": name, "path": str(tables)} for name in TOYS]
    return kit_run(kit_task(datasets, generation=GENERATION), server.base_url, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def hand(
    server: FaultServer, tables: Path, tmp_path_factory: pytest.TempPathFactory, kit_by_hand: Callable[..., Any]
) -> Any:
    return kit_by_hand(server.base_url, tables, tmp_path_factory.mktemp("hand"), *TOYS)


@pytest.fixture(scope="module")
def judged(
    server: FaultServer,
    judge: FaultServer,
    tables: Path,
    tmp_path_factory: pytest.TempPathFactory,
    kit_run: Any,
    kit_task: Any,
) -> Any:
    datasets = [{"name": name, "path": str(tables)} for name in (*JUDGED_LEAN, *JUDGED_FULL, "MMStar", "POPE")]
    served = {"name": "org/judge", "endpoint": {"base_url": judge.base_url}}
    task = kit_task(datasets, generation=GENERATION, judge=served)
    return kit_run(task, server.base_url, tmp_path_factory.mktemp("judged"), judge.base_url)


@pytest.fixture(scope="module")
def judged_by_hand(
    server: FaultServer,
    judge: FaultServer,
    tables: Path,
    tmp_path_factory: pytest.TempPathFactory,
    kit_by_hand: Callable[..., Any],
) -> Any:
    shared = {"judge_url": judge.base_url, "judge": "judge"}
    folder = tmp_path_factory.mktemp("judged-by-hand")
    lean = kit_by_hand(server.base_url, tables, folder / "lean", *JUDGED_LEAN, "MMStar", "POPE", **shared)
    return lean | kit_by_hand(server.base_url, tables, folder / "full", *JUDGED_FULL, **shared, env_spec=FULL)


@pytest.mark.parametrize("name", TOYS)
def test_complete(ran: Any, name: str) -> None:
    assert not ran.messages(name, "output"), ran.messages(name)
    row = ran.primary(name)
    assert row.status == "complete" and row.value is not None, row
    assert row.n_errors == 0 and row.n > 0
    assert row.settings["official_data"] is False


@pytest.mark.parametrize(("name", "metric", "about", "key", "scale"), SAME)
def test_the_same_as_by_hand(
    ran: Any, hand: Any, name: str, metric: str, about: dict[str, Any], key: str, scale: float
) -> None:
    assert ran.row(name, metric, **about).value == pytest.approx(hand[name]["metrics"][key] / scale, abs=1e-9)


def test_the_toys_tell_models_apart(hand: Any) -> None:
    """Else equal scores would prove nothing."""
    flat = [value for name in TOYS for value in hand[name]["metrics"].values()]
    assert len({round(value, 3) for value in flat}) > 15


@pytest.mark.parametrize(("name", "metric", "about", "key", "scale"), SAME_JUDGED)
def test_judged_the_same_as_by_hand(
    judged: Any, judged_by_hand: Any, name: str, metric: str, about: dict[str, Any], key: str, scale: float
) -> None:
    assert not judged.messages(name, "output"), judged.messages(name)
    found = judged_by_hand[name]["metrics"]
    assert judged.row(name, metric, **about).value == pytest.approx(found[key] / scale, abs=1e-9), found


def test_choices_are_matched_by_the_judge(judged: Any, judged_by_hand: Any, ran: Any) -> None:
    assert judged.primary("MMStar").value == judged_by_hand["MMStar"]["metrics"]["split=none|Overall"]
    unread, matched = ran.samples("MMStar")["2"], judged.samples("MMStar")["2"]
    assert unread.extracted is None and matched.extracted in "ABCD"
    assert judged.primary("MMStar").settings["judge"] == "org/judge"


def test_the_judge_is_asked_with_its_own_name_and_key(judged: Any, judge: FaultServer) -> None:
    assert {asked.body["model"] for asked in judge.journal if asked.headers["Authorization"] != "Bearer K"} == {
        "org/judge"
    }
    for folder in judged.folders:
        assert "judge-token" not in "".join(path.read_text() for path in folder.rglob("*.json"))


def test_what_is_sent(ran: Any, server: FaultServer) -> None:
    """The spec's settings and nothing else; images as VLMEvalKit encodes them, without ``detail``."""
    mine = [asked for asked in server.journal if asked.headers["Authorization"] == "Bearer token-of-the-run"]
    assert mine
    for asked in mine:
        assert asked.body | {"messages": []} == {
            "model": "org/tiny",
            "messages": [],
            "n": 1,
            "temperature": 0.0,
            "max_tokens": 64,
        }
        parts = asked.body["messages"][0]["content"]
        assert {part["type"] for part in parts} == {"text", "image_url"}
        for part in parts:
            if part["type"] == "image_url":
                assert part["image_url"].keys() == {"url"}
                assert part["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_every_sample_is_recorded(ran: Any) -> None:
    sample = ran.samples("MMStar")["1"]
    assert sample.target == vlm_toys.choices()[1]["answer"]
    assert sample.extracted in "ABCD" and sample.scores == {"accuracy": float(sample.extracted == sample.target)}
    assert sample.subset == "math" and sample.metadata["category"] == "geometry"
    assert sample.response and sample.finish_reason == "stop" and sample.usage and sample.latency_s is not None
    assert sample.prompt_sha256 and len(sample.prompt_sha256) == 64
    parts = sample.input[0]["content"]
    assert parts[0]["image_url"]["url"].startswith("jobs/vlmevalkit/datasets/")
    assert "Item 1" in parts[1]["text"]


def test_rotations_are_one_sample(ran: Any) -> None:
    samples = ran.samples("MMBench_DEV_EN")
    assert len(samples) == 4 == ran.primary("MMBench_DEV_EN").n
    assert [one["index"] for one in samples["1"].metadata["rotations"]] == ["1", "1000001", "2000001", "3000001"]


def test_open_questions_are_pointed_out(ran: Any) -> None:
    assert "open questions" in ran.messages("MMMU_DEV_VAL", "warning")


def test_answers_that_cannot_be_read_are_pointed_out(ran: Any) -> None:
    assert "could not be read" in ran.messages("MMStar", "warning")
    assert "could not be read" in ran.messages("POPE", "warning")


def test_two_environments_are_two_jobs(judged: Any) -> None:
    assert [folder.name for folder in judged.folders] == ["vlmevalkit", "vlmevalkit-full"]
