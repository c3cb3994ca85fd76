"""Real rows: MMBench and MATH-Vision with their images, and MATH-Vision's published outputs scored again."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import vlm_toys
from fault_server import FaultServer
from server_thread import serving

DATA = Path(__file__).parents[3] / "shared" / "data"
DATA = DATA if DATA.is_dir() else Path(__file__).parents[4] / "shared" / "data"
TSV, MATH = DATA / "vlmevalkit_tsv", DATA / "mathvision"

pytestmark = [
    pytest.mark.env,
    pytest.mark.skipif(not TSV.is_dir(), reason="the folder of shared real rows is not here"),
]


@pytest.fixture(scope="module")
def judge() -> Iterator[FaultServer]:
    with serving(FaultServer(answer=vlm_toys.judge)) as thread:
        yield thread.server


@pytest.fixture(scope="module")
def mathvision_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 50 questions whose images are there, as the plain folder that their repository has."""
    folder = tmp_path_factory.mktemp("mathvision")
    shutil.copytree(MATH / "images", folder / "images")
    lines = (MATH / "testmini.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if (MATH / json.loads(line)["image"]).is_file()]
    (folder / "testmini.jsonl").write_text("\n".join(kept), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def ran(
    judge: FaultServer, mathvision_folder: Path, tmp_path_factory: pytest.TempPathFactory, kit_run: Any, kit_task: Any
) -> Any:
    datasets = [
        {"name": "custom_mcq", "alias": "mmbench", "path": str(TSV / "MMBench_EN_samples.tsv")},
        {"name": "MathVision_MINI", "path": str(TSV / "MathVision_MINI_first40.tsv")},
        {"name": "custom_vqa", "alias": "mathvision", "path": str(mathvision_folder)},
    ]
    options = {"vlmevalkit": {"scorer": {"mathvision": "math"}}}
    served = {"name": "org/judge", "endpoint": {"base_url": judge.base_url}}
    task = kit_task(datasets, judge=served, options=options, generation={"temperature": 0, "max_tokens": 64})
    with serving(FaultServer(answer=vlm_toys.answer)) as model:
        yield kit_run(task, model.server.base_url, tmp_path_factory.mktemp("run"), judge.base_url), model.server


def test_mmbench_samples_as_by_hand(ran: Any, judge: FaultServer, tmp_path: Path, kit_by_hand: Any) -> None:
    results, server = ran
    shutil.copy(TSV / "MMBench_EN_samples.tsv", tmp_path / "samples.tsv")
    shared = {"judge_url": judge.base_url, "judge": "judge"}
    found = kit_by_hand(server.base_url, tmp_path, tmp_path / "hand", "samples", **shared)["samples"]["metrics"]
    row = results.primary("mmbench")
    assert (row.n, row.n_errors, row.status) == (20, 0, "complete")
    assert row.value == pytest.approx(found["split=none|Overall"])
    for subset in {sample.subset for sample in results.results["mmbench"].samples}:
        assert results.row("mmbench", "accuracy", subset).value == pytest.approx(found[f"split=none|{subset}"])


def test_mathvision_first_40_as_by_hand(ran: Any, judge: FaultServer, tmp_path: Path, kit_by_hand: Any) -> None:
    from bridge.adapters.vlmevalkit.translate import FULL

    results, server = ran
    shutil.copy(TSV / "MathVision_MINI_first40.tsv", tmp_path / "MathVision_MINI.tsv")
    found = kit_by_hand(
        server.base_url,
        tmp_path,
        tmp_path / "hand",
        "MathVision_MINI",
        judge_url=judge.base_url,
        judge="judge",
        env_spec=FULL,
    )["MathVision_MINI"]["metrics"]
    row = results.row("MathVision_MINI", "accuracy")
    assert (row.n, row.n_errors) == (40, 0)
    assert row.value == pytest.approx(found["Subject=Overall|acc"] / 100)
    for subset in {sample.subset for sample in results.results["MathVision_MINI"].samples}:
        about = results.row("MathVision_MINI", "accuracy", subset)
        assert about.value == pytest.approx(found[f"Subject={subset}|acc"] / 100)


def test_50_images_of_mathvision_from_a_plain_folder(ran: Any) -> None:
    results, server = ran
    row = results.primary("mathvision")
    assert (row.metric, row.n, row.n_errors, row.status) == ("math_match", 50, 0, "complete")
    asked = [body for body in server.journal if "canned" not in body.prompt]
    images = {
        part["image_url"]["url"]
        for body in asked
        for part in body.body["messages"][0]["content"]
        if part["type"] == "image_url"
    }
    assert len(images) >= 50


@pytest.mark.parametrize("model", ["LLaVA-v1.5-7B", "Random-Chance"])
def test_published_outputs_score_as_published(model: str, tmp_path: Path, kit_run: Any, kit_task: Any) -> None:
    csv.field_size_limit(sys.maxsize)
    with gzip.open(MATH / "test.jsonl.gz", "rt", encoding="utf-8") as file:
        questions = [json.loads(line) for line in file]
    outputs = (MATH / "golden" / f"{model}.jsonl").read_text(encoding="utf-8").splitlines()
    said = {record["id"]: record["response"] for record in map(json.loads, outputs)}
    rows = [
        {
            "index": question["id"],
            "image": vlm_toys.png(1) if not at else questions[0]["id"],
            "question": f"#{question['id']}#",
            "answer": question["answer"],
            "choices": str(question["options"]),
            "category": question["subject"],
            "l2-category": f"level{question['level']}",
        }
        for at, question in enumerate(questions)
    ]
    vlm_toys.write(tmp_path / "test.tsv", rows)
    task = kit_task(
        [{"name": "custom_vqa", "alias": "mathvision", "path": str(tmp_path / "test.tsv")}],
        options={"vlmevalkit": {"scorer": {"mathvision": "math"}}},
    )
    with serving(FaultServer(answer=lambda prompt: said[vlm_toys.text_of(prompt).strip().strip("#")])) as server:
        ran = kit_run(task, server.server.base_url, tmp_path / "run")
    published = json.loads((MATH / "golden" / f"{model}_result.json").read_text(encoding="utf-8"))
    right, of = map(int, published["-all"].split("=")[0].split("/"))
    row = ran.primary("mathvision")
    assert (round(row.value * row.n), row.n, row.n_errors) == (right, of, 0)
    for row in ran.results["mathvision"].rows:
        key = f"-{row.category}" if row.category else row.subset
        if row.metric == "math_match" and key in published:
            assert f"{round(row.value * row.n)}/{row.n}" == published[key].split("=")[0], key
    records = {record["id"]: record["correct"] for record in map(json.loads, outputs)}
    assert {key: bool(sample.scores["math_match"]) for key, sample in ran.samples("mathvision").items()} == records
