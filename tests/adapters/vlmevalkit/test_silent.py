"""Everything that VLMEvalKit ends with exit code 0 after: provoked, and told."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import vlm_toys
from fault_server import OK, Fault, FaultServer, prompt_of
from server_thread import serving

from bridge.adapters.vlmevalkit import translate
from bridge.errors import Unsupported

pytestmark = pytest.mark.env

BROKEN = "aGVsbG8gd29ybGQs" * 8
"""Base64 of no image."""
FAULTS = {
    "400 ": Fault(status=400, message="context length exceeded"),
    "500 ": Fault(status=500, message="boom"),
    "429 ": Fault(status=429, message="slow down"),
    "null ": Fault(mode="null-content"),
    "html ": Fault(mode="garbage"),
    "reset ": Fault(mode="reset"),
}


def treat(body: dict[str, Any]) -> Fault:
    text = vlm_toys.text_of(prompt_of(body))
    return next((fault for word, fault in FAULTS.items() if word in text), OK)


def answer(prompt: str) -> str:
    text = vlm_toys.text_of(prompt)
    if "empty " in text:
        return ""
    if "half " in text:
        return "A \ud800 odd"
    if "babble" in text:
        return "I see a nice picture with many things."
    return vlm_toys.answer(prompt)


def babbling_judge(prompt: str) -> str:
    return "That depends on how one looks at it."


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with serving(FaultServer(answer=answer, rule=treat)) as thread:
        yield thread.server


def faulty(rows: list[dict[str, Any]], words: dict[int, str]) -> list[dict[str, Any]]:
    return [row | {"question": words.get(at, "") + row["question"]} for at, row in enumerate(rows)]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One table per way to fail."""
    folder = tmp_path_factory.mktemp("tables")
    words = dict(enumerate(["400 ", "500 ", "429 ", "null ", "html ", "reset ", "empty ", "half "]))
    vlm_toys.write(folder / "faults.tsv", faulty(vlm_toys.choices(12), words))
    vlm_toys.write(folder / "all_down.tsv", faulty(vlm_toys.choices(4), dict.fromkeys(range(4), "500 ")))
    vlm_toys.write(folder / "rotated.tsv", faulty(vlm_toys.circular(4), {5: "500 "}))
    vlm_toys.write(folder / "MME.tsv", faulty(vlm_toys.mme(), {3: "500 "}))
    images = vlm_toys.choices(8)
    images[2]["image"], images[4]["image"], images[6]["image"] = BROKEN, "nonsense!", ""
    vlm_toys.write(folder / "images.tsv", images)
    answers = vlm_toys.choices(4)
    answers[1]["answer"] = ""
    vlm_toys.write(folder / "no_answer.tsv", answers)
    vlm_toys.write(folder / "DocVQA_TEST.tsv", [row | {"answer": ""} for row in vlm_toys.short(4)])
    vlm_toys.write(folder / "odd_index.tsv", [row | {"index": "../../evil"} for row in vlm_toys.choices(1)])
    return folder


@pytest.fixture(scope="module")
def ran(
    server: FaultServer, tables: Path, tmp_path_factory: pytest.TempPathFactory, kit_run: Any, kit_task: Any
) -> Any:
    datasets: list[Any] = [
        {"name": "custom_mcq", "alias": name, "path": str(tables / f"{name}.tsv")}
        for name in ("faults", "all_down", "images", "no_answer", "odd_index")
    ]
    datasets += [
        {"name": "custom_mcq_circular", "alias": "rotated", "path": str(tables / "rotated.tsv")},
        {"name": "MME", "path": str(tables)},
        {"name": "DocVQA_TEST", "path": str(tables)},
        "AI2D_TEST",
    ]
    options = {"vlmevalkit": {"lmu_data": str(tmp_path_factory.mktemp("empty"))}}
    return kit_run(kit_task(datasets, options=options), server.base_url, tmp_path_factory.mktemp("run"))


def test_unanswered_requests_are_errors_and_in_no_score(ran: Any) -> None:
    samples = ran.samples("faults")
    for index, why in {
        "0": "HTTP 400: context length exceeded",
        "1": "HTTP 500: boom",
        "2": "HTTP 429: slow down",
        "3": "answer was empty",
        "4": "answer was empty",
        "5": "cannot be reached",
        "6": "answer was empty",
    }.items():
        assert why in samples[index].error, (index, samples[index].error)
        assert samples[index].scores == {} and samples[index].extracted is None
    row = ran.primary("faults")
    assert (row.n, row.n_errors, row.status) == (5, 7, "partial")
    answered = [samples[index].scores["accuracy"] for index in map(str, range(7, 12))]
    assert row.value == pytest.approx(sum(answered) / 5)
    assert "7 of 12 samples" in row.reason


def test_an_odd_character_costs_no_more_than_itself(ran: Any) -> None:
    assert ran.samples("faults")["7"].response == "A ? odd"


def test_a_server_that_is_down_gives_no_score(ran: Any) -> None:
    row = ran.primary("all_down")
    assert (row.value, row.n, row.n_errors, row.status) == (None, 0, 4, "failed")
    assert "HTTP 500: boom" in row.reason
    assert [error.kind for error in ran.results["all_down"].errors] == ["unanswered"]


def test_half_a_group_is_not_scored(ran: Any) -> None:
    """MMBench would find it easier to be right in three rotations than in four, and MME would divide by them."""
    row = ran.primary("rotated")
    assert (row.metric, row.n, row.n_errors) == ("circular_accuracy", 3, 1)
    assert "HTTP 500" in ran.samples("rotated")["1"].error
    row = ran.primary("MME")
    assert (row.n, row.n_errors, row.status) == (14, 2, "partial")
    samples = ran.samples("MME")
    assert "HTTP 500" in samples["3"].error and "its group lost a sample" in samples["2"].error


def test_an_image_that_cannot_be_read_costs_one_sample(ran: Any) -> None:
    samples = ran.samples("images")
    assert "cannot identify image file" in samples["2"].error
    assert "neither base64 nor the index" in samples["4"].error
    assert "is empty" in samples["6"].error
    assert (ran.primary("images").n, ran.primary("images").n_errors) == (5, 3)


def test_a_row_without_an_answer_is_not_scored(ran: Any) -> None:
    assert "no right answer" in ran.samples("no_answer")["1"].error
    assert (ran.primary("no_answer").n, ran.primary("no_answer").n_errors) == (3, 1)


def test_a_table_that_is_not_there(ran: Any) -> None:
    row = ran.primary("AI2D_TEST")
    assert row.value is None and row.status == "failed"
    assert "AI2D_TEST.tsv is not in LMUData" in row.reason and "give 'path'" in row.reason
    assert [error.kind for error in ran.results["AI2D_TEST"].errors] == ["backend"]


def test_answers_that_are_not_public(ran: Any, kit_task: Any) -> None:
    assert "no right answer" in ran.primary("DocVQA_TEST").reason
    with pytest.raises(Unsupported, match="answers of DocVQA_TEST are not public"):
        translate.jobs(kit_task(["DocVQA_TEST"]), translate.Endpoint("http://127.0.0.1:9/v1", "m"))


def test_an_index_that_is_a_path_is_refused(ran: Any, tables: Path) -> None:
    assert "it becomes a file's name" in ran.primary("odd_index").reason
    assert not list(tables.parent.rglob("evil*"))


@pytest.fixture(scope="module")
def badly_judged(
    server: FaultServer, tmp_path_factory: pytest.TempPathFactory, kit_run: Any, kit_task: Any
) -> Iterator[Any]:
    """A judge whose verdicts nobody can read."""
    folder = tmp_path_factory.mktemp("badly-judged")
    rows = faulty(vlm_toys.choices(6), {1: "babble ", 3: "babble "})
    path = vlm_toys.write(folder / "mine.tsv", rows)
    vlm_toys.write_all(folder, "MMVet")
    with serving(FaultServer(answer=babbling_judge)) as judge:
        served = {"name": "judge", "endpoint": {"base_url": judge.server.base_url}}
        datasets = [
            {"name": "custom_mcq", "alias": "mine", "path": str(path)},
            {"name": "MMVet", "path": str(folder)},
            {"name": "custom_vqa", "alias": "asked", "path": str(folder / "MMVet.tsv")},
        ]
        task = kit_task(datasets, judge=served, options={"vlmevalkit": {"scorer": {"asked": "judge"}}})
        yield kit_run(task, server.base_url, folder / "run", judge.server.base_url)


def test_a_random_choice_is_no_score(badly_judged: Any) -> None:
    """VLMEvalKit draws an option, unseeded, for an answer that neither rules nor judge can read."""
    samples = badly_judged.samples("mine")
    for index in "13":
        assert "chose at random" in samples[index].error and samples[index].scores == {}
    row = badly_judged.primary("mine")
    scored = [sample.scores["accuracy"] for sample in samples.values() if sample.scores]
    assert (row.n, row.n_errors, row.value) == (len(scored), 6 - len(scored), sum(scored) / len(scored))


def test_a_verdict_that_cannot_be_read_is_no_zero(badly_judged: Any) -> None:
    row = badly_judged.primary("MMVet")
    assert (row.value, row.n, row.n_errors) == (None, 0, 6)
    assert "verdict could not be read" in row.reason
    row = badly_judged.primary("asked")
    assert (row.value, row.n_errors) == (None, 6)
    assert "neither yes nor no" in row.reason


def test_a_judge_that_is_down(server: FaultServer, tmp_path: Path, kit_run: Any, kit_task: Any) -> None:
    """VLMEvalKit would warn, match exactly instead, and name its files after the judge all the same."""
    vlm_toys.write_all(tmp_path, "MMStar", "MathVista_MINI")
    served = {"name": "judge", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}
    datasets = [{"name": name, "path": str(tmp_path)} for name in ("MMStar", "MathVista_MINI")]
    ran = kit_run(kit_task(datasets, judge=served), server.base_url, tmp_path / "run")
    for name in ("MMStar", "MathVista_MINI"):
        assert ran.primary(name).value is None
        assert "the judge did not answer" in ran.primary(name).reason
        assert ran.samples(name)["1"].response, "what the model answered is still there"


def test_nothing_of_an_earlier_run_is_used(tmp_path: Path, kit_run: Any, kit_task: Any) -> None:
    vlm_toys.write_all(tmp_path, "MMStar")
    task = kit_task([{"name": "MMStar", "path": str(tmp_path)}])
    with serving(FaultServer(answer=lambda _: "A")) as first:
        before = kit_run(task, first.server.base_url, tmp_path / "run").samples("MMStar")
    with serving(FaultServer(answer=lambda _: "B")) as second:
        after = kit_run(task, second.server.base_url, tmp_path / "run").samples("MMStar")
        assert len(second.server.journal) == 8
    assert {sample.extracted for sample in before.values()} == {"A"}
    assert {sample.extracted for sample in after.values()} == {"B"}


def test_a_scorer_that_needs_what_is_not_there(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kit_run: Any, kit_task: Any
) -> None:
    """MathVision's catches every exception of its parser, and scores the answer as wrong."""
    monkeypatch.setattr(translate, "env_of", lambda *_: translate.LEAN)
    vlm_toys.write_all(tmp_path, "MathVision_MINI")
    with serving(FaultServer(answer=vlm_toys.judge)) as judge:
        served = {"name": "judge", "endpoint": {"base_url": judge.server.base_url}}
        task = kit_task([{"name": "MathVision_MINI", "path": str(tmp_path)}], judge=served)
        ran = kit_run(task, server.base_url, tmp_path / "run", judge.server.base_url)
    assert ran.primary("MathVision_MINI").value is None
    assert re.search(r"latex2sympy\S*, which is not in this environment", ran.primary("MathVision_MINI").reason)


HOSTILE = "__import__('pathlib').Path('{}').touch()"


def test_a_table_runs_no_code(server: FaultServer, tmp_path: Path, kit_run: Any, kit_task: Any) -> None:
    """VLMEvalKit evaluates cells; here they are read as literals."""
    mark = tmp_path / "was-run"
    code = HOSTILE.format(mark)
    rows = vlm_toys.choices(4)
    rows[0] |= {"answer": code}
    rows[1] |= {"index": code.replace("/", "")[:180]}
    rows[2] |= {"question": code}
    vlm_toys.write(tmp_path / "mcq.tsv", rows)
    vlm_toys.write(tmp_path / "TextVQA_VAL.tsv", vlm_toys.short(3, lambda _: code, split=lambda _: "val"))
    vlm_toys.write(
        tmp_path / "OCRBench.tsv", vlm_toys.short(3, lambda _: f"[{code}]", category=lambda _: vlm_toys.OCR_KINDS[0])
    )
    paths = [row | {"image_path": f"../../{at}.png"} for at, row in enumerate(vlm_toys.choices(3))]
    vlm_toys.write(tmp_path / "paths.tsv", paths)
    datasets = [
        {"name": "custom_mcq", "alias": "mcq", "path": str(tmp_path / "mcq.tsv")},
        {"name": "TextVQA_VAL", "path": str(tmp_path)},
        {"name": "OCRBench", "path": str(tmp_path)},
        {"name": "custom_mcq", "alias": "paths", "path": str(tmp_path / "paths.tsv")},
    ]
    ran = kit_run(kit_task(datasets), server.base_url, tmp_path / "run")
    assert not mark.exists() and not list(tmp_path.rglob("was-run*"))
    assert ran.primary("mcq").n == 4
    assert ran.primary("TextVQA_VAL").value == 0.0
    assert "neither a literal nor a sum, and is not evaluated" in ran.primary("OCRBench").reason
    assert "leads out of the folder of images" in ran.primary("paths").reason


async def test_a_process_that_is_killed(tmp_path: Path, kit_task: Any, kit_started: Any) -> None:
    """The other dataset goes on, and the one says what became of it."""
    vlm_toys.write_all(tmp_path, "MMStar", "POPE")

    def hang(body: dict[str, Any]) -> Fault:
        return Fault(mode="hang") if "yes or no" in prompt_of(body) else OK

    task = kit_task([{"name": name, "path": str(tmp_path)} for name in ("MMStar", "POPE")])
    async with (
        FaultServer(answer=answer, rule=hang) as server,
        kit_started(task, server.base_url, tmp_path / "run") as job,
    ):
        while not any("yes or no" in prompt for prompt in server.prompts):
            await asyncio.sleep(0.05)
        while len(children := job.children()) > 1:
            await asyncio.sleep(0.05)
        os.kill(children[0], signal.SIGKILL)
        ran = await job.ended()
    assert ran.primary("MMStar").status == "complete"
    assert "was killed by signal 9" in ran.primary("POPE").reason
    assert [error.kind for error in ran.results["POPE"].errors] == ["backend"]


async def test_a_job_that_is_killed(tmp_path: Path, kit_task: Any, kit_started: Any) -> None:
    vlm_toys.write_all(tmp_path, "MMStar", "POPE")

    def hang(body: dict[str, Any]) -> Fault:
        return Fault(mode="hang") if "yes or no" in prompt_of(body) else OK

    task = kit_task([{"name": name, "path": str(tmp_path)} for name in ("MMStar", "POPE")])
    async with (
        FaultServer(answer=answer, rule=hang) as server,
        kit_started(task, server.base_url, tmp_path / "run") as job,
    ):
        while not job.result("MMStar").exists():
            await asyncio.sleep(0.05)
        job.kill()
        ran = await job.ended()
    assert ran.primary("MMStar").status == "complete"
    assert ran.primary("POPE").value is None and "signal 9" in ran.primary("POPE").reason
