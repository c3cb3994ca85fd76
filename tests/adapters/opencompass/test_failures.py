"""Ways in which OpenCompass ends with exit code 0 and a wrong or missing score, each provoked in the real framework."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import opencompass_toys as toys
import pytest
from fault_server import OK, Fault, FaultServer, prompt_of
from opencompass_runs import MARKER, Ran, make_task, run_task
from server_thread import serving

from bridge.report.schema import ErrorKind, ResultRow, Status

pytestmark = pytest.mark.env

UNLUCKY = "number 3 "
"""Part of the prompts whose requests fail for good."""


def refuse_some(body: dict[str, Any]) -> Fault:
    return Fault(status=400, message="the prompt is too spicy") if UNLUCKY in prompt_of(body) else OK


def answer(prompt: str) -> str:
    return "" if "virology" in prompt else toys.answer(prompt)


@pytest.fixture(scope="module")
def ran(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One job in which much is broken: each part is to fail alone, and the rest is to be scored."""
    root = tmp_path_factory.mktemp("broken")
    toys.write_all(root / "data")
    data = root / "data"
    # A solution without a marked result: the evaluation raises.
    toys.write_jsonl(data / "gsm8k" / "test.jsonl", [*toys.gsm8k_rows(3), {"question": "How many?", "answer": "three"}])
    # A row that is cut off, in one subject of three.
    (data / "mmlu" / "test" / "anatomy_test.csv").write_text("Which?,one,two\n", encoding="utf-8")
    # Fewer worked examples than the prompt wants: building the prompts raises.
    toys.write_csv(data / "ceval" / "dev" / "law_dev.csv", [[0, "一", "甲", "乙", "丙", "丁", "A", "略"]], [
        "id", "question", "A", "B", "C", "D", "answer", "explanation",
    ])  # fmt: skip
    # Rows that OpenCompass drops without a word.
    toys.write_arc(data / "arc", count=6, odd=2)
    # One of two files of questions is broken.
    (data / "general_mcq" / "shop_val.jsonl").write_text('{"question": "Which?", "A": "x", "C": "z", "answer": "A"}\n')
    datasets = [
        "gsm8k",
        {"name": "mmlu", "subsets": list(toys.MMLU)},
        "ARC_c",
        "hellaswag",
        {"name": "ceval", "subsets": list(toys.CEVAL)},
        {"name": "bbh", "subsets": list(toys.BBH)},
        "general_mcq",
        {"name": "general_qa", "path": str(root / "vanishing")},
    ]
    toys.write_qa(root / "vanishing")
    task = make_task(datasets, data=str(data))

    with serving(FaultServer(answer=answer, model="tiny", rule=refuse_some)) as thread:
        return run_task(
            task, thread.server.base_url, python, root / "run", lambda: (root / "vanishing/sums.jsonl").unlink()
        )


def primary(ran: Ran, dataset: str) -> ResultRow:
    (row,) = [row for row in ran.results[dataset].rows if row.primary]
    return row


def rows(ran: Ran, dataset: str) -> dict[str | None, ResultRow]:
    return {row.subset: row for row in ran.results[dataset].rows if not row.metric.endswith("_micro")}


def messages(ran: Ran, dataset: str, kind: ErrorKind) -> list[str]:
    return [error.message for error in ran.results[dataset].errors if error.kind is kind]


def test_the_exit_code_says_that_something_failed(ran: Ran) -> None:
    assert [outcome.exit_code for outcome in ran.outcomes] == [1]


def test_an_evaluator_that_raises_fails_its_dataset_and_keeps_the_answers(ran: Ran) -> None:
    row = primary(ran, "gsm8k")
    assert (row.status, row.value, row.n, row.n_errors) == (Status.FAILED, None, 0, 4)
    assert row.reason is not None and "IndexError" in row.reason
    assert any("score: IndexError" in message for message in messages(ran, "gsm8k", ErrorKind.BACKEND))
    records = list(ran.results["gsm8k"].samples)
    assert len(records) == 4
    assert all(record.response and record.error and not record.scores for record in records)


def test_one_broken_file_takes_one_subset(ran: Ran) -> None:
    found = rows(ran, "mmlu")
    assert found["anatomy"].status is Status.FAILED
    assert "anatomy_test.csv: row 1 has 3 columns, expected 6" in (found["anatomy"].reason or "")
    assert found["astronomy"].status is Status.COMPLETE and found["astronomy"].n == 6
    assert primary(ran, "mmlu").status is Status.PARTIAL
    assert primary(ran, "mmlu").value == pytest.approx(found["astronomy"].value)


def test_answers_that_are_all_empty_are_no_score(ran: Ran) -> None:
    found = rows(ran, "mmlu")["virology"]
    assert (found.status, found.value) == (Status.FAILED, None)
    assert "every answer is empty" in (found.reason or "")


def test_rows_that_opencompass_drops_are_told(ran: Ran) -> None:
    row = primary(ran, "ARC_c")
    assert (row.status, row.n) == (Status.PARTIAL, 5)
    (warning,) = [message for message in messages(ran, "ARC_c", ErrorKind.WARNING) if "leaves out" in message]
    assert "leaves out 2 of 8 rows" in warning


def test_a_request_that_failed_is_no_wrong_answer(ran: Ran) -> None:
    """The mean is taken again, over the answered samples; OpenCompass's own counts the placeholder."""
    for dataset in ("ARC_c", "hellaswag"):
        row = primary(ran, dataset)
        assert (row.status, row.n, row.n_errors) == (Status.PARTIAL, 5, 1)
        records = list(ran.results[dataset].samples)
        failed = [record for record in records if record.error]
        assert len(failed) == 1
        assert failed[0].response is None and failed[0].scores == {}
        assert "the prompt is too spicy" in (failed[0].error or "")
        right = [record.scores["accuracy"] for record in records if not record.error]
        assert row.value == pytest.approx(sum(right) / 5)
        own = json.loads(
            (ran.job_folder() / "out/results/model" / f"{'ARC-c' if dataset == 'ARC_c' else dataset}.json").read_text()
        )
        assert own["accuracy"] == pytest.approx(100 * sum(right) / 6)
        assert any("samples were not answered" in message for message in messages(ran, dataset, ErrorKind.UNANSWERED))


def test_inference_that_raises_fails_its_subset_with_the_reason(ran: Ran) -> None:
    found = rows(ran, "ceval")
    assert found["law"].status is Status.FAILED
    assert "Index 1 is out of range of 1" in (found["law"].reason or "")
    assert found["physician"].status is Status.COMPLETE


def test_a_broken_file_of_own_questions_says_the_line(ran: Ran) -> None:
    found = rows(ran, "general_mcq")
    assert found["shop"].status is Status.FAILED
    assert "shop_val.jsonl:1: choices AC" in (found["shop"].reason or "")
    assert found["bank"].status is Status.COMPLETE and found["bank"].n == 6


def test_files_that_vanish_are_told_and_not_downloaded(ran: Ran) -> None:
    row = primary(ran, "general_qa")
    assert row.status is Status.FAILED
    assert "sums.jsonl" in (row.reason or "") or "missing" in (row.reason or "")
    assert list(ran.results["general_qa"].samples) == []


def test_everything_else_is_complete(ran: Ran) -> None:
    assert primary(ran, "bbh").status is Status.COMPLETE
    assert primary(ran, "bbh").n == 12


def test_the_marker_is_in_no_record(ran: Ran) -> None:
    for result in ran.results.values():
        assert MARKER not in "".join(record.model_dump_json() for record in result.samples)


def test_a_server_that_is_down_leaves_no_score(python: Path, tmp_path: Path) -> None:
    toys.write_gsm8k(tmp_path / "gsm8k", 3)
    with serving(FaultServer()) as thread:
        base_url = thread.server.base_url
    ran = run_task(make_task([{"name": "gsm8k", "path": str(tmp_path / "gsm8k")}]), base_url, python, tmp_path / "run")
    row = primary(ran, "gsm8k")
    assert (row.status, row.value, row.n, row.n_errors) == (Status.FAILED, None, 0, 3)
    assert "ConnectionRefusedError" in (row.reason or "")


def test_a_process_that_dies_is_tried_again_and_harms_nothing_else(python: Path, tmp_path: Path) -> None:
    toys.write_all(tmp_path / "data", 12)
    task = make_task(["gsm8k", "ARC_c", "hellaswag", "general_qa"], data=str(tmp_path / "data"), concurrency=4)
    killed: list[int] = []
    with serving(FaultServer(answer=toys.answer, model="tiny", default=Fault(latency_s=0.3))) as thread:
        watcher = threading.Thread(target=kill_a_worker, args=(tmp_path / "run", thread.server, killed))
        watcher.start()
        ran = run_task(task, thread.server.base_url, python, tmp_path / "run")
        watcher.join()
    assert killed
    assert ran.outcomes[0].exit_code == 0
    for dataset in ("gsm8k", "ARC_c", "hellaswag", "general_qa"):
        assert (primary(ran, dataset).status, primary(ran, dataset).n) == (Status.COMPLETE, 12)


def kill_a_worker(run: Path, server: FaultServer, killed: list[int]) -> None:
    """Kills the first process that has a connection open to the model, once it has been asked a few times."""
    deadline = time.monotonic() + 60
    while len(server.journal) < 6 and time.monotonic() < deadline:
        time.sleep(0.02)
    for status in Path("/proc").glob("[0-9]*/status"):
        pid = int(status.parent.name)
        try:
            inside = "inside.py" in (status.parent / "cmdline").read_text()
            cwd = (status.parent / "cwd").readlink()
            parent = int(next(line for line in status.read_text().splitlines() if line.startswith("PPid")).split()[1])
            mother = (Path("/proc") / str(parent) / "cmdline").read_text()
        except (OSError, StopIteration):
            continue
        if inside and cwd.is_relative_to(run) and "inside.py" in mother and "watchdog" not in mother:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
            return
