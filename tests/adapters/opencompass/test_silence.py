"""Ways in which the ``opencompass`` command ends with exit code 0 and a wrong or missing score, in the real framework.

Numbered as in the table of ``docs/backends/opencompass.md``; those that ``test_failures.py`` provokes are not repeated.
Each ends as failed or partial, with its reason, and takes no other dataset with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import opencompass_every as every
import pytest
from fault_server import OK, Asked, Fault, FaultServer, prompt_of
from opencompass_runs import Ran, make_task, run_task
from server_thread import serving

from bridge.backend import Job
from bridge.report.schema import ErrorKind, ResultRow, Status

pytestmark = pytest.mark.env

ROWS = 4
GOOD = ("siqa", "COPA", "winogrande")
STALE = {
    ".cache/dataset_size.json": json.dumps({"winogrande": 1, "COPA": 99}),
    "out/predictions/model/winogrande_0.json": json.dumps({"0": {"origin_prompt": "", "prediction": "A"}}),
    "out/predictions/model/COPA.json": json.dumps({"0": {"origin_prompt": "", "prediction": "A"}}),
    "out/results/model/COPA.json": json.dumps({"accuracy": 100.0}),
}
"""What OpenCompass trusts where it finds it: sizes, parts of predictions, and results of another run."""


class Moderated(FaultServer):
    """Gives empty answers, with the reason for it, to some prompts of WiC."""

    def _whole(self, asked: Asked) -> dict[str, Any]:
        whole = super()._whole(asked)
        for word, reason in (("stone", "content_filter"), ("bridge", "length")):
            if f"Are '{word}' in" in asked.prompt:
                whole["choices"][0]["finish_reason"] = reason
                whole["choices"][0]["message"]["content"] = ""
        return whole


@dataclass(frozen=True)
class Seen:
    ran: Ran
    journal: list[Asked]

    def primary(self, dataset: str) -> ResultRow:
        (row,) = [row for row in self.ran.results[dataset].rows if row.primary]
        return row


@pytest.fixture(scope="module")
def seen(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    root = tmp_path_factory.mktemp("silence")
    every.write_every(root, ROWS)
    data = root / "data"
    (data / "SuperGLUE/AX-b/AX-b.jsonl").write_text('{"sentence1": "cut o', encoding="utf-8")
    (data / "summedits/summedits.jsonl").write_text('{"doc": "no summary", "label": 0}\n', encoding="utf-8")
    names = ("AX_b", "summedits", "TheoremQA", "strategyqa", "WiC", "GaokaoBench", *GOOD)
    task = make_task([every.asked(name) for name in names], data=str(root), max_retries=2)
    grown = growing(data / "strategyqa/strategyQA_train.json")

    def rule(body: dict[str, Any]) -> Fault:
        prompt = prompt_of(body)
        if "Is the " in prompt and "old" in prompt:
            grown()
        return Fault(status=500, message="the engine died") if "How many are" in prompt else OK

    def with_stale_files(job: Job) -> Job:
        return replace(job, files={**job.files, **STALE})

    with serving(Moderated(answer=every.answer, model="tiny", rule=rule)) as thread:
        ran = run_task(task, thread.server.base_url, python, root / "run", changed=with_stale_files)
        return Seen(ran, list(thread.server.journal))


def growing(path: Path) -> Callable[[], None]:
    """Adds a row to the file when it is called, once: as a file that is still being copied."""
    rows = json.loads(path.read_text(encoding="utf-8"))

    def grow() -> None:
        path.write_text(json.dumps([*rows, *rows[:1]]), encoding="utf-8")

    return grow


def test_2_inference_that_fails_in_the_concurrent_task_is_failed_with_its_reason(seen: Seen) -> None:
    """The task ends with 0 there, and only a file of its own says ``fail``."""
    assert seen.primary("AX_b").status is Status.FAILED
    assert "JSONDecodeError" in (seen.primary("AX_b").reason or "")


def test_a_field_that_is_missing_in_the_rows_is_no_question(seen: Seen) -> None:
    """Where there is no summary, OpenCompass asks about ``{summary}``, and scores the answer."""
    row = seen.primary("summedits")
    assert (row.status, row.value) == (Status.FAILED, None)
    assert "the rows have no field 'summary'" in (row.reason or "")


def test_3_the_others_are_not_taken_along(seen: Seen) -> None:
    for name in GOOD:
        assert (seen.primary(name).status, seen.primary(name).n) == (Status.COMPLETE, ROWS)


def test_4_empty_answers_of_a_filter_are_no_wrong_answers(seen: Seen) -> None:
    row = seen.primary("WiC")
    assert (row.status, row.n, row.n_errors) == (Status.PARTIAL, 2, 2)
    errors = [record.error for record in seen.ran.results["WiC"].samples if record.error]
    assert [next(word for word in ("content_filter", "length") if word in error) for error in errors] == [
        "content_filter",
        "length",
    ]


def test_6_predictions_and_references_of_different_length_are_no_score(seen: Seen) -> None:
    row = seen.primary("strategyqa")
    assert (row.status, row.value, row.n_errors) == (Status.FAILED, None, ROWS)
    assert "same length" in (row.reason or "")
    assert all(record.response and record.error for record in seen.ran.results["strategyqa"].samples)


def test_7_and_8_left_over_sizes_parts_and_results_are_not_believed(seen: Seen) -> None:
    for name in ("winogrande", "COPA"):
        row, records = seen.primary(name), list(seen.ran.results[name].samples)
        assert (row.n, len(records)) == (ROWS, ROWS)
        assert all(isinstance(record.input, list) for record in records)
        assert row.value == pytest.approx(sum(record.scores["accuracy"] for record in records) / ROWS)


def test_12_a_server_that_says_500_is_asked_once_and_given_up(seen: Seen) -> None:
    """OpenCompass's own class asks for ever; here only the gateway tries again."""
    row = seen.primary("TheoremQA")
    assert (row.status, row.value, row.n_errors) == (Status.FAILED, None, ROWS)
    assert "500" in (row.reason or "") and "the engine died" in (row.reason or "")
    assert len([asked for asked in seen.journal if "How many are" in asked.prompt]) == ROWS
    kinds = {error.kind for error in seen.ran.results["TheoremQA"].errors}
    assert kinds == {ErrorKind.UNANSWERED}


def test_questions_that_opencompass_does_not_score_are_told(seen: Seen) -> None:
    """Of GaokaoBench's blanks, corrections and open questions it says 0 whatever the answer is."""
    (warning,) = [error.message for error in seen.ran.results["GaokaoBench"].errors if "whatever" in error.message]
    assert "3 of 7 subsets" in warning and "GaokaoBenchEvaluator_cloze" in warning


def test_5_results_of_an_earlier_run_are_not_reported_for_another_limit(python: Path, tmp_path: Path) -> None:
    """The command's ``-r`` keeps what is there, whatever has changed."""
    every.write_every(tmp_path, ROWS)
    counts = []
    with serving(FaultServer(answer=every.answer, model="tiny")) as thread:
        for limit in (2, 3):
            task = make_task(["COPA"], data=str(tmp_path), limit=limit)
            ran = run_task(task, thread.server.base_url, python, tmp_path / "run")
            counts.append([row.n for row in ran.results["COPA"].rows if row.primary])
    assert counts == [[2], [3]]


def test_11_a_server_that_hangs_is_ended_by_the_jobs_time(python: Path, tmp_path: Path) -> None:
    """The command has no limit of its own, and leaves its children behind when it is killed."""
    every.write_every(tmp_path, ROWS)
    task = make_task(["COPA", "siqa"], data=str(tmp_path), job_timeout_s=25)

    def rule(body: dict[str, Any]) -> Fault:
        return Fault(mode="hang") if "Which may be the" in prompt_of(body) else OK

    with serving(FaultServer(answer=every.answer, model="tiny", rule=rule)) as thread:
        began = time.monotonic()
        ran = run_task(task, thread.server.base_url, python, tmp_path / "run")
        assert time.monotonic() - began < 60
    (row,) = [row for row in ran.results["COPA"].rows if row.primary]
    assert (row.status, row.value, row.n_errors) == (Status.FAILED, None, ROWS)
    assert "25 s" in (row.reason or "")
    (other,) = [row for row in ran.results["siqa"].rows if row.primary]
    assert (other.status, other.n) == (Status.COMPLETE, ROWS)
    assert not [path for path in Path("/proc").glob("[0-9]*") if runs_in(path, tmp_path)]


def runs_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink().is_relative_to(folder)
    except OSError:
        return False
