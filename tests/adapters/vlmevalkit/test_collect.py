"""What jobs left → the report: recorded from real runs (``vlm_record.py``), and damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from vlm_record import CASES, GOLDEN, told
from vlm_runs import BACKEND, make_task

from bridge.adapters.vlmevalkit import kit_table
from bridge.backend import BenchmarkResult, Outcome, Task
from bridge.report.schema import ErrorKind, ResultRow

COLLECT = GOLDEN / "collect"


def task_of(case: str) -> Task:
    return make_task(**json.loads(json.dumps(CASES[case]).replace('"tables', '"FOLDER/tables')))


def collect(case: str, root: Path = COLLECT, **outcome: Any) -> dict[str, BenchmarkResult]:
    base = {"job": "vlmevalkit", "backend": "vlmevalkit", "model": "org/tiny", "exit_code": 0, "started_at": "now"}
    ended = Outcome(**{**base, "dir": root / case / "jobs" / "vlmevalkit", **outcome})
    return {result.dataset: result for result in BACKEND.collect(ended, task_of(case))}


def primary(result: BenchmarkResult) -> ResultRow:
    (row,) = (row for row in result.rows if row.primary)
    return row


@pytest.mark.parametrize("case", CASES)
def test_recorded_runs(case: str) -> None:
    expected = json.loads((COLLECT / case / "expected.json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps({name: told(result) for name, result in collect(case).items()})) == expected


def test_samples_can_be_read_again_and_are_the_rows() -> None:
    """What stands beside the samples is what the rows say."""
    for result in [*collect("families").values(), *collect("judged").values(), *collect("failures").values()]:
        first, second = list(result.samples), list(result.samples)
        assert first == second
        for row in result.rows:
            if row.subset is None and row.category is None and row.split is None and row.unit == "fraction":
                values = [sample.scores[row.metric] for sample in first if row.metric in sample.scores]
                if values and row.value is not None:
                    assert row.value == pytest.approx(sum(values) / len(values)), row.metric
                    assert row.n == len(values)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(COLLECT / "families", tmp_path / "families")
    return tmp_path


def edit(root: Path, number: int, **changes: Any) -> None:
    path = root / "families" / "jobs" / "vlmevalkit" / "datasets" / str(number) / "result.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    result["repeats"][0] |= changes
    path.write_text(json.dumps(result), encoding="utf-8")


def lines_of(root: Path, number: int) -> Path:
    return root / "families" / "jobs" / "vlmevalkit" / "datasets" / str(number) / "samples.jsonl"


def test_a_score_that_its_samples_do_not_come_to_is_told(root: Path) -> None:
    edit(root, 1, metrics=[{"split": "none", "Overall": 0.99}])
    result = collect("families", root)["MMStar"]
    assert [(error.kind, error.message) for error in result.errors if error.kind is not ErrorKind.WARNING] == [
        ("output", "MMStar: VLMEvalKit's Overall is 0.99, its samples come to 0.75")
    ]


def test_a_process_that_left_samples_and_no_result(root: Path) -> None:
    lines_of(root, 1).with_name("result.json").unlink()
    result = collect("families", root, exit_code=None, reason="killed by signal 9")["MMStar"]
    row = primary(result)
    assert (row.value, row.n, row.n_errors, row.status) == (None, 0, 8, "failed")
    assert row.reason == "not scored: killed by signal 9"
    assert next(iter(result.samples)).response, "what was answered is there"


def test_a_torn_line_is_left_out(root: Path) -> None:
    path = lines_of(root, 1)
    path.write_bytes(path.read_bytes()[:-40])
    assert len(list(collect("families", root)["MMStar"].samples)) == 7


def test_an_answer_that_was_cut_off_is_told(root: Path) -> None:
    path = lines_of(root, 1)
    path.write_text(path.read_text(encoding="utf-8").replace('"stop"', '"length"', 3), encoding="utf-8")
    result = collect("families", root)["MMStar"]
    assert [(error.count, error.message) for error in result.errors if "cut off" in error.message] == [
        (3, "MMStar: answers were cut off at the token limit")
    ]


def test_points_and_counts_keep_their_unit() -> None:
    found = collect("families")
    mme, ocr = primary(found["MME"]), primary(found["OCRBench"])
    assert (mme.metric, mme.unit, mme.max_value) == ("mme_score", "points", 2800.0)
    assert (ocr.metric, ocr.unit, ocr.value, ocr.max_value) == ("final_score", "count", 6.0, 10.0)
    assert all(row.unit == "fraction" for name in ("MMStar", "POPE", "ChartQA_TEST") for row in found[name].rows)


def test_of_several_splits_the_official_one_is_quoted() -> None:
    rows = collect("families")["MMMU_DEV_VAL"].rows
    assert [(row.split, row.n) for row in rows if row.primary] == [("validation", 5)]
    overall = [row for row in rows if row.subset is None and row.category is None and row.metric == "accuracy"]
    assert [(row.split, row.n) for row in overall] == [("validation", 5), ("dev", 3)]


OTHER = [
    ({"Overall": 61.5, "detail": {"a": 1}}, {"Overall": 61.5, "detail | a": 1.0}, "Overall"),
    ([{"split": "none", "Overall": 0.5, "x": 0.25}], {"Overall": 0.5, "x": 0.25}, "Overall"),
    (
        [{"Category": "rec", "tot": 4, "acc": "12.5"}, {"Category": "Overall", "tot": 8, "acc": 50.0}],
        {"rec | tot": 4.0, "rec | acc": 12.5, "Overall | tot": 8.0, "Overall | acc": 50.0},
        "Overall | acc",
    ),
    ({"BLEU": [1.0, 2.0], "ok": True, "note": "fine"}, {"BLEU | 0": 1.0, "BLEU | 1": 2.0}, "BLEU | 0"),
]


@pytest.mark.parametrize(("returned", "numbers", "quoted"), OTHER)
def test_numbers_of_scorers_that_bridge_knows_nothing_of(returned: Any, numbers: dict[str, float], quoted: str) -> None:
    assert dict(kit_table.numbers(returned)) == numbers
    assert kit_table.quoted(list(numbers)) == quoted


def test_of_an_unknown_scorer_its_own_numbers_are_reported(tmp_path: Path) -> None:
    task = make_task([{"name": "MTVQA_TEST", "path": "FOLDER/tables"}])
    folder = tmp_path / "jobs" / "vlmevalkit" / "datasets" / "0"
    folder.mkdir(parents=True)
    items = {"datasets": [{"id": "MTVQA_TEST", "dir": "datasets/0"}]}
    (folder.parents[1] / "job.json").write_text(json.dumps(items), encoding="utf-8")
    repeats = [{"error": None, "metrics": {"AR": 20.0, "Average": 33.0}}]
    (folder / "result.json").write_text(json.dumps({"error": None, "repeats": repeats}), encoding="utf-8")
    lines = [{"index": str(at), "error": "HTTP 500" if not at else None, "row": {"answer": "x"}} for at in range(3)]
    (folder / "samples.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    ended = Outcome(
        job="vlmevalkit", backend="vlmevalkit", model="m", dir=folder.parents[1], exit_code=0, started_at="now"
    )
    (result,) = BACKEND.collect(ended, task)
    row = primary(result)
    assert (row.metric, row.value, row.unit, row.min_value, row.n, row.n_errors) == (
        "Average",
        33.0,
        "points",
        None,
        2,
        1,
    )
    assert row.status == "partial" and "1 of 3 samples" in (row.reason or "")
    assert row.source == "jobs/vlmevalkit/datasets/0/result.json: Average"
