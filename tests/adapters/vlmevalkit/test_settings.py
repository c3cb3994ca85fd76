"""All of the spec, in the real VLMEvalKit: what is asked, of which rows, how often, and how it is scored."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import vlm_toys
from fault_server import FaultServer
from server_thread import serving

pytestmark = pytest.mark.env


def answer(prompt: str) -> str:
    text = vlm_toys.text_of(prompt)
    if "think" in text:
        return "<think>It might be B, or C.</think>The answer is A."
    return vlm_toys.answer(prompt)


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with serving(FaultServer(answer=answer)) as thread:
        yield thread.server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ``LMUData`` folder, and a plain one with pictures and questions."""
    folder = vlm_toys.write_all(tmp_path_factory.mktemp("data"))
    vlm_toys.write(folder / "thinking.tsv", vlm_toys.choices(4, "think Item"))
    no_images = [{k: v for k, v in row.items() if k != "image"} for row in vlm_toys.choices(4)]
    vlm_toys.write(folder / "texts.tsv", no_images)
    plain = folder / "plain"
    (plain / "images").mkdir(parents=True)
    for at in range(4):
        (plain / "images" / f"{at}.png").write_bytes(base64.b64decode(vlm_toys.png(at)))
    lines = [
        {"id": f"q{at}", "question": f"Item {at}: which colour?", "options": vlm_toys.NAMES, "answer": "ABCD"[at],
         "image": f"images/{at}.png", "subject": "colours", "level": at % 2}
        for at in range(4)
    ]  # fmt: skip
    lines.append({**lines[0], "id": "gone", "image": "images/none.png"})
    (plain / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def ran(
    server: FaultServer, folder: Path, tmp_path_factory: pytest.TempPathFactory, kit_run: Any, kit_task: Any
) -> Any:
    here = {"path": str(folder)}
    datasets: list[dict[str, Any]] = [
        {"name": "MMStar", "alias": "three", "limit": 3, **here},
        {"name": "MMBench_DEV_EN", "alias": "two-groups", "limit": 2, **here},
        {"name": "MME", "alias": "whole-pairs", "limit": 3, **here},
        {"name": "MMMU_DEV_VAL", "alias": "dev", "split": "dev", **here},
        {"name": "MMStar", "alias": "maths", "subsets": ["math"], **here},
        {"name": "MMStar", "alias": "no-such", "subsets": ["poetry"], **here},
        {"name": "POPE", "alias": "warm", "repeats": 3, "generation": {"temperature": 0.7, "seed": 5}, **here},
        {"name": "POPE", "alias": "full", "generation": {
            "temperature": 0.3, "top_p": 0.9, "top_k": 20, "max_tokens": 9, "stop": ["END"], "seed": 1,
            "extra_body": {"chat_template_kwargs": {"enable_thinking": False}}}, **here},
        {"name": "custom_mcq", "alias": "plain", "path": str(folder / "plain")},
        {"name": "custom_text_mcq", "alias": "texts", "path": str(folder / "texts.tsv")},
        {"name": "custom_yn", "alias": "yn", "path": str(folder / "POPE.tsv")},
        {"name": "custom_mcq_circular", "alias": "turned", "path": str(folder / "MMBench_DEV_EN.tsv")},
        {"name": "custom_mcq", "alias": "mmbench-circular-ChartQA", "path": str(folder / "MMStar.tsv")},
    ]  # fmt: skip
    return kit_run(kit_task(datasets), server.base_url, tmp_path_factory.mktemp("run"))


def test_limit(ran: Any) -> None:
    assert list(ran.samples("three")) == ["0", "1", "2"]
    assert list(ran.samples("two-groups")) == ["0", "1"]
    assert all(len(sample.metadata["rotations"]) == 4 for sample in ran.samples("two-groups").values())
    assert list(ran.samples("whole-pairs")) == ["0", "1", "2", "3"]
    assert ran.primary("three").settings["limit"] == 3


def test_split_and_subsets(ran: Any) -> None:
    assert {sample.metadata["split"] for sample in ran.samples("dev").values()} == {"dev"}
    assert ran.primary("dev").split == "dev"
    assert {sample.subset for sample in ran.samples("maths").values()} == {"math"}
    assert "no subset 'poetry'; there are: coarse perception, geometry" in ran.primary("no-such").reason


def test_repeats(ran: Any) -> None:
    records = list(ran.results["warm"].samples)
    assert [(record.sample_id, record.repeat) for record in records[:4]] == [("0", 0), ("0", 1), ("0", 2), ("1", 0)]
    row = ran.row("warm", "accuracy")
    assert (row.n, row.n_errors, len(records)) == (24, 0, 24)
    assert row.value == sum(record.scores["accuracy"] for record in records) / 24
    assert row.settings["repeats"] == 3


def test_generation(ran: Any, server: FaultServer) -> None:
    (body,) = {
        json.dumps({k: v for k, v in asked.body.items() if k != "messages"}, sort_keys=True)
        for asked in server.journal
        if asked.body.get("top_k")
    }
    assert json.loads(body) == {
        "model": "org/tiny",
        "n": 1,
        "temperature": 0.3,
        "top_p": 0.9,
        "top_k": 20,
        "max_tokens": 9,
        "stop": ["END"],
        "seed": 1,
        "chat_template_kwargs": {"enable_thinking": False},
    }


def test_a_plain_folder(ran: Any) -> None:
    samples = ran.samples("plain")
    assert list(samples) == ["q0", "q1", "q2", "q3", "gone"]
    assert "not in the folder" in samples["gone"].error
    assert samples["q1"].subset == "colours" and samples["q1"].metadata["category"] == "level 1"
    assert (ran.primary("plain").n, ran.primary("plain").n_errors) == (4, 1)
    assert ran.primary("plain").settings["tables"] == {"plain": "converted"}


def test_questions_without_images(ran: Any) -> None:
    assert ran.primary("texts").status == "complete" and ran.primary("texts").n == 4
    assert [part["type"] for part in ran.samples("texts")["0"].input[0]["content"]] == ["text"]


def test_forms_of_own_tables(ran: Any) -> None:
    assert ran.primary("yn").metric == "accuracy" and ran.primary("yn").n == 8
    assert ran.primary("turned").metric == "circular_accuracy" and ran.primary("turned").n == 4


def test_an_alias_switches_nothing_on(ran: Any) -> None:
    """In VLMEvalKit ``mmbench`` or ``circular`` in a name changes the scoring, and ``ChartQA`` the metric."""
    row = ran.primary("mmbench-circular-ChartQA")
    assert (row.metric, row.n, row.status) == ("accuracy", 8, "complete")


def jpeg_size(url: str) -> tuple[int, int]:
    """Width and height out of a JPEG's frame header."""
    data = base64.b64decode(url.partition(",")[2])
    at = 2
    while data[at + 1] not in (0xC0, 0xC2):
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    height, width = struct.unpack(">HH", data[at + 5 : at + 9])
    return width, height


def test_options(tmp_path: Path, kit_run: Any, kit_task: Any) -> None:
    rows = [row | {"image": vlm_toys.png(at, size=240)} for at, row in enumerate(vlm_toys.choices(2))]
    vlm_toys.write(tmp_path / "big.tsv", rows)
    vlm_toys.write(tmp_path / "thinking.tsv", vlm_toys.choices(4, "think Item"))
    options = {"image": {"size": 120, "detail": "high"}, "split_thinking": True, "system_prompt": "Be brief."}
    datasets = [
        {"name": "custom_mcq", "alias": name, "path": str(tmp_path / f"{name}.tsv")} for name in ("big", "thinking")
    ]
    with serving(FaultServer(answer=answer)) as thread:
        ran = kit_run(kit_task(datasets, options={"vlmevalkit": options}), thread.server.base_url, tmp_path / "run")
        bodies = [asked.body for asked in thread.server.journal]
    images = [part["image_url"] for body in bodies for part in body["messages"][1]["content"] if "image_url" in part]
    assert {image["detail"] for image in images} == {"high"}
    assert max(max(jpeg_size(image["url"])) for image in images) == 120
    assert {body["messages"][0]["content"] for body in bodies} == {"Be brief."}
    samples = ran.samples("thinking").values()
    assert {sample.extracted for sample in samples} == {"A"}
    assert all(sample.response.startswith("<think>") for sample in samples)


def test_thinking_that_is_not_split_is_pointed_out(
    server: FaultServer, folder: Path, tmp_path: Path, kit_run: Any, kit_task: Any
) -> None:
    task = kit_task([{"name": "custom_mcq", "alias": "thinking", "path": str(folder / "thinking.tsv")}])
    ran = kit_run(task, server.base_url, tmp_path)
    assert "split_thinking" in ran.messages("thinking", "warning")


SHORT = [
    ("exact", "exact_match", "It is Paris.", "Paris", 0.0),
    ("exact", "exact_match", " paris. ", "Paris", 1.0),
    ("containment", "containment", "It is Paris.", "Paris", 1.0),
    ("numeric", "numeric_match", "So there are 1,250 of them", "1250.0", 1.0),
    ("anls", "anls", "Pariss", "Paris", 5 / 6),
    ("math", "math_match", r"\boxed{\frac{1}{2}}", "0.5", 1.0),
]


def test_own_questions_with_short_answers(tmp_path: Path, kit_run: Any, kit_task: Any) -> None:
    """VLMEvalKit asks them and then raises NotImplementedError."""
    said = {}
    datasets, scorer = [], {}
    for at, (name, _, answered, target, _) in enumerate(SHORT):
        alias = f"own-{at}"
        rows = [row | {"question": f"{alias} {row['index']}?", "answer": target} for row in vlm_toys.short(2)]
        vlm_toys.write(tmp_path / f"{alias}.tsv", rows)
        datasets.append({"name": "custom_vqa", "alias": alias, "path": str(tmp_path / f"{alias}.tsv")})
        scorer[alias] = name
        said |= {f"{alias} {number}?": answered for number in range(2)}
    with serving(FaultServer(answer=lambda prompt: said[vlm_toys.text_of(prompt).strip()])) as thread:
        task = kit_task(datasets, options={"vlmevalkit": {"scorer": scorer}})
        ran = kit_run(task, thread.server.base_url, tmp_path / "run")
    for at, (name, metric, _, _, score) in enumerate(SHORT):
        row = ran.primary(f"own-{at}")
        assert (row.metric, row.value, row.n) == (metric, pytest.approx(score), 2), row
        assert row.settings["scorer"] == name


def test_own_questions_judged(tmp_path: Path, kit_run: Any, kit_task: Any) -> None:
    vlm_toys.write(tmp_path / "own.tsv", vlm_toys.short(6))

    def verdict(prompt: str) -> str:
        assert "Right answer" in prompt or prompt.startswith("hello")
        return "Yes." if "answer: 2\n" in prompt else "no"

    with (
        serving(FaultServer(answer=lambda _: "It is two.")) as model,
        serving(FaultServer(answer=verdict)) as judge,
    ):
        served = {"name": "judge", "endpoint": {"base_url": judge.server.base_url}}
        task = kit_task(
            [{"name": "custom_vqa", "alias": "own", "path": str(tmp_path / "own.tsv")}],
            judge=served,
            options={"vlmevalkit": {"scorer": {"own": "judge"}}},
        )
        ran = kit_run(task, model.server.base_url, tmp_path / "run", judge.server.base_url)
    row = ran.primary("own")
    assert (row.metric, row.n, row.settings["judge"]) == ("judge_accuracy", 6, "judge")
    assert row.value == pytest.approx(1 / 6)
