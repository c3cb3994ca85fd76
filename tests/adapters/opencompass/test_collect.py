"""Recorded output of the real framework → results; and what becomes of it when a piece is wrong or missing.

The recorded runs are OpenCompass 0.5.4 on ``opencompass_toys``, with prompts cut to their last question.
``BRIDGE_UPDATE_GOLDEN=1 pytest tests/adapters/opencompass`` writes the expected results anew; read them then.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from opencompass_runs import MARKER

from bridge.backend import BenchmarkResult, Outcome, Task
from bridge.registry import backend
from bridge.report.schema import ErrorKind, ReportError, ResultRow, Status
from bridge.spec import TaskSpec

GOLDEN = Path(__file__).parents[2] / "golden" / "opencompass" / "collect"
CASES = sorted(path.name for path in GOLDEN.iterdir())
Json = dict[str, Any]


class Recorded:
    """A copy of a recorded run, to be tampered with."""

    def __init__(self, case: str, folder: Path) -> None:
        self.spec = TaskSpec.model_validate_json((GOLDEN / case / "spec.json").read_text(encoding="utf-8"))
        self.root = folder / "run"
        shutil.copytree(GOLDEN / case / "jobs", self.root / "jobs")
        self.job = self.root / "jobs" / "opencompass"
        self.outcome = Outcome.model_validate_json((self.job / "outcome.json").read_text(encoding="utf-8"))

    def collect(self, **outcome: Any) -> dict[str, BenchmarkResult]:
        assert self.spec.model is not None
        task = Task(self.spec, self.spec.model, self.spec.datasets, 8)
        found = self.outcome.model_copy(update={"dir": self.job.absolute(), **outcome})
        return {result.dataset: result for result in backend("opencompass").collect(found, task)}

    def edit(self, file: str, change: Callable[[Json], Json | None]) -> None:
        path = self.job / file
        content = json.loads(path.read_text(encoding="utf-8"))
        changed = change(content)
        path.write_text(json.dumps(content if changed is None else changed), encoding="utf-8")

    def edit_unit(self, abbr: str, **changes: Any) -> None:
        def change(ledger: Json) -> None:
            (unit,) = [unit for unit in ledger["units"] if unit["abbr"] == abbr]
            unit.update(changes)

        self.edit("ledger.json", change)


@pytest.fixture
def complete(tmp_path: Path) -> Recorded:
    return Recorded("complete", tmp_path)


def primary(result: BenchmarkResult) -> ResultRow:
    (row,) = [row for row in result.rows if row.primary]
    return row


def of_kind(result: BenchmarkResult, kind: ErrorKind) -> list[ReportError]:
    return [error for error in result.errors if error.kind is kind]


def told(results: dict[str, BenchmarkResult]) -> Json:
    return {
        name: {
            "rows": [row.model_dump(mode="json", exclude={"env_lock_sha256"}) for row in result.rows],
            "samples": [record.model_dump(mode="json", exclude_none=True) for record in result.samples],
            "errors": [error.model_dump(mode="json") for error in result.errors],
        }
        for name, result in results.items()
    }


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, tmp_path: Path) -> None:
    found = told(Recorded(case, tmp_path).collect())
    path = GOLDEN / case / "expected.json"
    if os.environ.get("BRIDGE_UPDATE_GOLDEN"):
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert found == json.loads(path.read_text(encoding="utf-8"))


def test_there_are_cases() -> None:
    assert set(CASES) == {"broken", "complete", "judged", "repeated", "shapes"}


def test_a_complete_run_is_complete(complete: Recorded) -> None:
    results = complete.collect()
    assert {primary(result).status for result in results.values()} == {Status.COMPLETE}
    assert all(error.kind is ErrorKind.WARNING for result in results.values() for error in result.errors)
    raw = json.loads((complete.job / "out/results/model/gsm8k.json").read_text(encoding="utf-8"))["accuracy"]
    assert primary(results["gsm8k"]).value == raw / 100
    assert primary(results["gsm8k"]).settings["opencompass_value"] == raw


def edit_predictions(change: Callable[[Json], Json | None]) -> Callable[[Recorded], None]:
    return lambda run: run.edit("out/predictions/model/gsm8k.json", change)


def edit_results(change: Callable[[Json], Json | None]) -> Callable[[Recorded], None]:
    return lambda run: run.edit("out/results/model/gsm8k.json", change)


def remove(file: str) -> Callable[[Recorded], None]:
    return lambda run: (run.job / file).unlink()


def split_predictions(run: Recorded) -> None:
    """As where a part of a dataset that was split over tasks is missing."""
    path = run.job / "out/predictions/model/gsm8k.json"
    path.rename(path.with_name("gsm8k_0.json"))


def empty(predictions: Json) -> None:
    for row in predictions.values():
        row["prediction"] = ""


def cut_off(run: Recorded) -> None:
    path = run.job / "out/results/model/gsm8k.json"
    path.write_text(path.read_text(encoding="utf-8")[:50], encoding="utf-8")


@pytest.mark.parametrize(
    ("tamper", "kind", "said"),
    [
        (
            lambda run: run.edit_unit("gsm8k", state="failed", error="infer: ValueError: no"),
            "backend",
            "ValueError: no",
        ),
        (
            lambda run: run.edit("out/infer_status/model/gsm8k.json", lambda s: {**s, "status": "fail"}),
            "output",
            "'fail'",
        ),
        (remove("out/results/model/gsm8k.json"), "output", "there is no result"),
        (remove("out/predictions/model/gsm8k.json"), "output", "there are no predictions"),
        (split_predictions, "output", "there are no predictions"),
        (edit_predictions(lambda rows: {"0": rows["0"], "1": rows["1"]}), "output", "2 predictions for 3 rows"),
        (lambda run: run.edit_unit("gsm8k", rows=6), "output", "3 predictions for 6 rows"),
        (edit_predictions(empty), "output", "every answer is empty"),
        (edit_results(lambda _: {"error": "preds and refrs have different length"}), "output", "different length"),
        (edit_results(lambda result: {"details": result["details"]}), "output", "no metric that is a number"),
        (edit_results(lambda result: {**result, "accuracy": None}), "output", "no metric that is a number"),
        (
            edit_results(lambda result: {**result, "details": result["details"][:2]}),
            "output",
            "not about 3 predictions",
        ),
        (cut_off, "output", "cannot be read"),
        (edit_results(lambda _: {}), "output", "no metric that is a number"),
    ],
)
def test_what_does_not_agree_is_no_score(
    complete: Recorded, tamper: Callable[[Recorded], None], kind: Literal["backend", "output"], said: str
) -> None:
    """All of these end with exit code 0 and a line in OpenCompass's table, or a dash."""
    tamper(complete)
    results = complete.collect()
    row = primary(results["gsm8k"])
    assert (row.status, row.value, row.n, row.n_errors) == (Status.FAILED, None, 0, max(3, row.n_errors))
    assert said in (row.reason or "")
    (error,) = of_kind(results["gsm8k"], ErrorKind(kind))
    assert said in error.message
    assert not any(record.scores for record in results["gsm8k"].samples)
    others = {primary(result).status for name, result in results.items() if name != "gsm8k"}
    assert others == {Status.COMPLETE}


def test_a_failed_subset_leaves_the_others(complete: Recorded) -> None:
    complete.edit_unit("lukaemon_mmlu_virology", state="failed", error="infer: it broke")
    result = complete.collect()["mmlu"]
    row = primary(result)
    assert (row.status, row.n, row.n_errors) == (Status.PARTIAL, 3, 3)
    by_subset = {row.subset: row for row in result.rows if row.subset}
    assert by_subset["astronomy"].status is Status.COMPLETE
    assert by_subset["virology"].value is None and "it broke" in (by_subset["virology"].reason or "")
    assert row.value == pytest.approx(by_subset["astronomy"].value)


def test_a_job_that_was_stopped_keeps_what_was_answered(complete: Recorded) -> None:
    folder = complete.job / "out/predictions/model"
    rows = json.loads((folder / "gsm8k.json").read_text(encoding="utf-8"))
    (folder / "gsm8k.json").unlink()
    lines = [json.dumps({"idx": int(at), **rows[at]}) for at in ("2", "0")]
    (folder / "tmp_gsm8k.jsonl").write_text("\n".join(lines) + '\n{"idx": 1, "origin', encoding="utf-8")
    complete.edit_unit("gsm8k", state="infer")
    result = complete.collect(exit_code=None, stopped="endpoint", reason="the model is gone")["gsm8k"]
    assert (primary(result).status, primary(result).n_errors) == (Status.FAILED, 3)
    (error,) = result.errors
    assert (error.kind, error.count) == (ErrorKind.UNANSWERED, 3)
    assert "the model is gone" in error.message
    records = list(result.samples)
    assert [record.response is not None for record in records] == [True, False, True]
    assert all("the model is gone" in (record.error or "") for record in records)


@pytest.mark.parametrize(
    ("started_at", "kind"), [("2026-11-21T12:00:00+00:00", ErrorKind.BACKEND), ("", ErrorKind.UNANSWERED)]
)
def test_a_job_that_was_killed_is_the_backends_failure(complete: Recorded, started_at: str, kind: ErrorKind) -> None:
    """A job that was never started says nothing about the backend: its environment or its model was not to be had."""
    complete.edit_unit("gsm8k", state="infer")
    result = complete.collect(exit_code=None, reason="killed by signal 9", started_at=started_at)["gsm8k"]
    assert [error.kind for error in result.errors] == [kind]


@pytest.mark.parametrize(("stopped", "kind"), [("timeout", ErrorKind.UNANSWERED), (None, ErrorKind.BACKEND)])
def test_a_job_without_a_ledger_says_how_it_ended(
    complete: Recorded, stopped: Literal["timeout"] | None, kind: ErrorKind
) -> None:
    (complete.job / "ledger.json").unlink()
    results = complete.collect(
        exit_code=1, stopped=stopped, reason="it ended early", log_tail=("ImportError: no numpy",)
    )
    for result in results.values():
        assert primary(result).status is Status.FAILED
        assert "it ended early" in (primary(result).reason or "")
        assert [error.kind for error in result.errors] == [kind]
        assert ("no numpy" in result.errors[0].message) == (stopped is None)


def test_a_dataset_that_could_not_be_loaded_says_so(complete: Recorded) -> None:
    def change(ledger: Json) -> Json:
        units = [unit for unit in ledger["units"] if unit["dataset"] != "ARC_c"]
        return {**ledger, "units": units, "problems": {"ARC_c": "data: /x: ARC-Challenge-Dev.jsonl missing"}}

    complete.edit("ledger.json", change)
    result = complete.collect()["ARC_c"]
    assert "ARC-Challenge-Dev.jsonl missing" in (primary(result).reason or "")
    assert [error.kind for error in result.errors] == [ErrorKind.BACKEND]


def test_placeholders_are_taken_out_and_the_mean_taken_again(complete: Recorded) -> None:
    def fail_one(rows: Json) -> None:
        rows["1"]["prediction"] = f"{MARKER} 500 the engine died"

    before = [record.scores["accuracy"] for record in complete.collect()["gsm8k"].samples]
    complete.edit("out/predictions/model/gsm8k.json", fail_one)
    result = complete.collect(failed_marker=MARKER)["gsm8k"]
    row = primary(result)
    assert (row.status, row.n, row.n_errors) == (Status.PARTIAL, 2, 1)
    assert row.value == pytest.approx((before[0] + before[2]) / 2)
    (error,) = of_kind(result, ErrorKind.UNANSWERED)
    assert error.count == 1 and "the engine died" in error.message
    failed = list(result.samples)[1]
    assert (failed.response, failed.extracted, failed.scores) == (None, None, {})


def test_a_metric_that_is_no_mean_of_samples_is_null_where_samples_are_missing(complete: Recorded) -> None:
    complete.edit("out/results/model/gsm8k.json", lambda result: {"rouge1": 12.5, "details": result["details"]})
    row = primary(complete.collect()["gsm8k"])
    assert (row.metric, row.value, row.status, row.n) == ("rouge1", 0.125, Status.COMPLETE, 3)
    assert row.stderr is None
    complete.edit("out/predictions/model/gsm8k.json", lambda rows: rows["1"].update(prediction=MARKER))
    row = primary(complete.collect(failed_marker=MARKER)["gsm8k"])
    assert (row.value, row.status, row.n, row.n_errors) == (None, Status.FAILED, 0, 3)
    assert "1 of 3 samples have no score, and rouge1 cannot be taken from the others alone" in (row.reason or "")


def test_further_metrics_stand_beside_the_quoted_one(complete: Recorded) -> None:
    complete.edit("out/results/model/gsm8k.json", lambda result: {"sys_len": 7, "bleu": 30.0, "thing": 250.0, **result})
    rows = {row.metric: row for row in complete.collect()["gsm8k"].rows}
    assert list(rows) == ["accuracy", "bleu", "thing"]
    assert rows["accuracy"].primary and not rows["bleu"].primary
    assert (rows["bleu"].value, rows["bleu"].unit) == (0.3, "fraction")
    assert (rows["thing"].value, rows["thing"].unit, rows["thing"].max_value) == (250.0, "points", None)


def test_details_that_are_missing_leave_the_value_without_an_interval(complete: Recorded) -> None:
    complete.edit("out/results/model/gsm8k.json", lambda result: {"accuracy": result["accuracy"]})
    result = complete.collect()["gsm8k"]
    assert primary(result).status is Status.COMPLETE
    assert primary(result).ci95 is None
    assert any("says nothing about single samples" in error.message for error in of_kind(result, ErrorKind.WARNING))


def test_empty_and_unread_answers_are_warned_of(complete: Recorded) -> None:
    def change(rows: Json) -> None:
        rows["0"]["prediction"] = ""

    complete.edit("out/predictions/model/gsm8k.json", change)
    complete.edit("out/results/model/gsm8k.json", lambda result: result["details"][2].update(pred=["NULL"]))
    messages = [error.message for error in complete.collect()["gsm8k"].errors]
    assert "1 of 3 (33%) answers are empty, and count as wrong" in messages
    assert any(message.startswith("no answer was read out of 1 of 3 (33%) responses") for message in messages)


def test_records_pair_with_those_of_other_frameworks_by_what_was_sent(complete: Recorded) -> None:
    from bridge.native.prompt import prompt_sha256

    (record, *_) = complete.collect()["general_qa"].samples
    assert isinstance(record.input, list)
    assert record.prompt_sha256 == prompt_sha256(record.input)


def test_only_the_datasets_of_the_job_are_collected(complete: Recorded) -> None:
    assert complete.spec.model is not None
    task = Task(complete.spec, complete.spec.model, complete.spec.datasets, 8)
    outcome = complete.outcome.model_copy(update={"dir": complete.job})
    results = backend("opencompass").collect(outcome, replace(task, datasets=task.datasets[:2]))
    assert [result.dataset for result in results] == ["gsm8k", "mmlu"]


@pytest.mark.parametrize(
    ("dataset", "metrics", "flagged"),
    [
        ("siqa", ["accuracy"], False),  # references that are no plain text: nothing says which are right
        ("CMRC", ["score"], True),  # several accepted answers
        ("lcsts", ["rouge1", "rouge2", "rougeL"], False),
        ("py150", ["score"], False),  # BLEU
        ("tydiqa", ["f1", "exact_match"], False),  # no details at all
        ("lambada", ["accuracy"], False),
        ("nq", ["score"], True),  # a list of objects
        ("IFEval", None, True),  # an object of objects, and four metrics
        ("agieval", ["accuracy", "accuracy_micro"], True),  # several evaluators, with metrics of different names
        ("GaokaoBench", ["score", "score_micro"], True),
        ("mmlu-mmlu_llmjudge_gen_f4336b", None, True),
        ("gsm8k-gsm8k_cascade_eval_rawprompt_gen_36fce7", ["accuracy"], True),
    ],
)
def test_every_shape_of_an_evaluators_output_is_read(
    dataset: str, metrics: list[str] | None, flagged: bool, tmp_path: Path
) -> None:
    result = Recorded("shapes", tmp_path).collect()[dataset]
    row, records = primary(result), list(result.samples)
    assert row.status is Status.COMPLETE and row.value is not None
    if metrics is not None:
        assert list(dict.fromkeys(row.metric for row in result.rows)) == metrics
    assert len(records) == row.n
    assert all(record.target is not None and record.prompt_sha256 for record in records)
    wanted = {row.metric} if flagged else set()
    blind = "2010-2022_Math_I_Fill-in-the-Blank"  # OpenCompass does not look at these
    assert all(record.scores.keys() == wanted for record in records if record.subset != blind)


def test_a_prompt_with_an_unfilled_place_in_every_row_is_no_question(complete: Recorded) -> None:
    complete.edit_unit("gsm8k", columns=["question", "hint"])
    assert primary(complete.collect()["gsm8k"]).status is Status.COMPLETE

    def unfill(rows: Json) -> None:
        for row in rows.values():
            row["origin_prompt"][0]["prompt"] += " {hint}"

    complete.edit("out/predictions/model/gsm8k.json", unfill)
    row = primary(complete.collect()["gsm8k"])
    assert (row.status, row.value) == (Status.FAILED, None)
    assert "the rows have no field 'hint'" in (row.reason or "")


def test_metrics_of_different_names_are_averaged_under_one(tmp_path: Path) -> None:
    result = Recorded("shapes", tmp_path).collect()["agieval"]
    named = {row.subset: row.settings.get("opencompass_metric") for row in result.rows if row.metric == "accuracy"}
    assert named == {None: None, "sat-math": None, "gaokao-mathcloze": "score"}
