"""Folders as EvalScope has written them in 2025, early and late, and in 2026."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import SpecError
from bridge.imports.found import import_run
from bridge.report.read import samples
from bridge.report.schema import SampleRecord


def written(root: Path, files: Mapping[str, Any]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = isinstance(content, list)
        path.write_text("".join(json.dumps(one) + "\n" for one in content) if lines else json.dumps(content))
    return root


def report_of(metric: Mapping[str, Any], dataset: str = "gsm8k", **more: Any) -> dict[str, Any]:
    return {"name": f"m@{dataset}", "dataset_name": dataset, "model_name": "m", "metrics": [dict(metric)], **more}


def metric(score: float, subsets: Mapping[str, tuple[float, int]], **name: Any) -> dict[str, Any]:
    parts = [{"name": subset, "score": value, "num": n} for subset, (value, n) in subsets.items()]
    total = sum(n for _, n in subsets.values())
    return {**name, "num": total, "score": score, "categories": [{"name": ["default"], "subsets": parts}]}


def review(index: int, right: float | None, group: int | None = None, repeat: int | None = None) -> dict[str, Any]:
    score: dict[str, Any] = {"value": {"acc": right}, "extracted_prediction": "18", "prediction": "It is 18."}
    if right is None:
        score = {"value": {}, "status": "judge_failed", "prediction": "It is 18."}
    return {
        "index": index,
        "target": ["18"],
        "messages": [
            {"role": "user", "content": f"question {index}", "id": "x"},
            {"role": "assistant", "content": "It is 18."},
        ],
        "sample_score": {
            "score": score,
            "sample_id": index,
            "group_id": index if group is None else group,
            "generation_index": repeat,
        },
    }


def prediction(index: int, stop: str = "stop") -> dict[str, Any]:
    output = {
        "choices": [{"message": {"content": "It is 18."}, "stop_reason": stop}],
        "usage": {"input_tokens": 600, "output_tokens": 100},
        "time": 2.5,
    }
    return {"index": index, "model": "m", "model_output": output}


CONFIG = """\
api_url: http://127.0.0.1:8000/v1
evalscope_version: 1.14.1
limit: 4
repeats: 1
seed: 42
generation_config: {temperature: 0.0, max_tokens: 512, top_p: null}
dataset_args:
  gsm8k: {few_shot_num: 4, eval_split: test, prompt_template: "{question}", description: long}
"""


def records(folder: Path, report: Any) -> list[SampleRecord]:
    return list(samples(folder / next(row.samples for row in report.results if row.samples)))


def test_a_folder_of_2026(tmp_path: Path) -> None:
    identity = {"name": "acc", "aggregation": "mean", "dimensions": {}}
    root = written(
        tmp_path / "in",
        {
            "reports/m/gsm8k.json": report_of(
                metric(0.6667, {"main": (0.6667, 3)}, identity=identity, semantics={}),
                schema_version=2,
                primary_metric_identity=identity,
                execution_summary={"requested": 5, "succeeded": 3, "errored": 2},
            ),
            "reviews/m/gsm8k_main.jsonl": [review(2, 0.0), review(0, 1.0), review(1, 1.0), review(3, None)],
            "predictions/m/gsm8k_main.jsonl": [prediction(at, "max_tokens" if at == 2 else "stop") for at in range(4)],
        },
    )
    (root / "configs").mkdir()
    (root / "configs/task_config.yaml").write_text(CONFIG)
    report = import_run("evalscope", root, tmp_path / "out")
    (row,) = [row for row in report.results if row.primary]
    assert (row.metric, row.n, row.n_errors, row.status.value) == ("acc", 3, 2, "partial")
    assert row.value == pytest.approx(2 / 3) and row.stderr is not None  # not the rounded 0.6667
    assert (row.num_fewshot, row.split, row.backend_version) == (4, "test", "1.14.1")
    assert row.settings["generation"] == {"temperature": 0.0, "max_tokens": 512}
    assert report.models[0].source == "http://127.0.0.1:8000/v1"
    found = records(tmp_path / "out", report)
    assert [one.sample_id for one in found] == ["0", "1", "2", "3"]
    assert (found[0].input, found[0].target, found[0].extracted) == (
        [{"role": "user", "content": "question 0"}],
        "18",
        "18",
    )
    assert (found[2].finish_reason, found[2].usage, found[2].latency_s) == (
        "length",
        {"prompt_tokens": 600, "completion_tokens": 100},
        2.5,
    )
    assert found[3].error == "not scored: judge_failed"
    assert any(error.kind == "unanswered" and error.count == 1 for error in report.errors)


def test_a_folder_of_late_2025_with_repeats_and_an_answer_without_a_review(tmp_path: Path) -> None:
    root = written(
        tmp_path / "in",
        {
            "reports/m/gsm8k.json": report_of(metric(0.5, {"main": (0.5, 4)}, name="mean_acc")),
            "reviews/m/gsm8k_main.jsonl": [
                review(3, 0.0, 1, 1),
                review(0, 1.0, 0, 0),
                review(1, 1.0, 0, 1),
                review(2, 0.0, 1, 0),
            ],
            "predictions/m/gsm8k_main.jsonl": [prediction(at) for at in range(5)],
        },
    )
    report = import_run("evalscope", root, tmp_path / "out")
    found = records(tmp_path / "out", report)
    assert [(one.sample_id, one.repeat) for one in found[:4]] == [("0", 0), ("0", 1), ("1", 0), ("1", 1)]
    assert found[4].error == "not scored: there is no review of it"
    (row,) = [row for row in report.results if row.primary]
    assert (row.value, row.n, row.n_errors, row.settings["reported_metric"]) == (0.5, 4, 1, "mean_acc")


def test_a_folder_of_early_2025(tmp_path: Path) -> None:
    def old(index: int, right: int) -> dict[str, Any]:
        verdict = {"gold": "A", "pred": "A" if right else "B", "result": right}
        return {
            "choices": [{"message": {"content": "A!"}, "finish_reason": "stop", "review": verdict}],
            "usage": {"prompt_tokens": 90, "completion_tokens": 8, "total_tokens": 98},
            "raw_input": {"id": f"Mercury_{index}", "question": "?"},
            "origin_prompt": {"data": [f"question {index}"], "multi_choices": ["A", "B"]},
            "index": index,
        }

    subsets = {"ARC-Easy": (1.0, 2), "ARC-Challenge": (0.5, 2)}
    root = written(
        tmp_path / "in",
        {
            "reports/m/arc.json": report_of(metric(0.75, subsets, name="AverageAccuracy"), "arc"),
            "reviews/m/arc_ARC-Easy.jsonl": [old(0, 1), old(1, 1)],
            "reviews/m/arc_ARC-Challenge.jsonl": [old(2, 1), old(3, 0)],
        },
    )
    report = import_run("evalscope", root / "reports", tmp_path / "out")
    found = {(row.subset, row.metric): row.value for row in report.results}
    assert found[None, "accuracy"] == 0.75
    assert found["ARC-Challenge", "accuracy"] == 0.5
    first = records(tmp_path / "out", report)[0]
    assert (first.sample_id, first.input, first.target, first.extracted) == ("Mercury_0", "question 0", "A", "A")
    assert first.usage == {"prompt_tokens": 90, "completion_tokens": 8}


def test_a_report_without_reviews_is_its_values(tmp_path: Path) -> None:
    root = written(
        tmp_path / "in",
        {
            "reports/m/gsm8k.json": report_of(metric(0.8, {"main": (0.8, 10)}, name="mean_acc")),
            "reports/m/analysis.json": {"x": 1},
        },
    )
    report = import_run("evalscope", root, tmp_path / "out")
    (row,) = [row for row in report.results if row.primary]
    assert (row.value, row.n, row.samples) == (0.8, 10, None)
    assert row.reason == "as reported; no record says how its samples were scored"
    assert any("m/analysis.json is no report of a dataset" in error.message for error in report.errors)


def test_the_folder_around_is_named(tmp_path: Path) -> None:
    written(
        tmp_path / "outputs/20260101_000000", {"reports/m/gsm8k.json": report_of(metric(1, {"a": (1, 1)}, name="acc"))}
    )
    with pytest.raises(SpecError, match=r"it has no reports/ \(give .*outputs/20260101_000000\)"):
        import_run("evalscope", tmp_path / "outputs", tmp_path / "out")


def test_two_models_have_a_folder_each(tmp_path: Path) -> None:
    one = report_of(metric(1.0, {"main": (1.0, 1)}, name="mean_acc"))
    files = {f"reports/{name}/gsm8k.json": one for name in ("m", "n")}
    files |= {f"reviews/{name}/gsm8k_main.jsonl": [review(0, 1.0)] for name in ("m", "n")}  # type: ignore[misc]
    report = import_run("evalscope", written(tmp_path / "in", files), tmp_path / "out")
    assert sorted(str(row.samples) for row in report.results if row.primary) == [
        "samples/m/evalscope/gsm8k.jsonl",
        "samples/n/evalscope/gsm8k.jsonl",
    ]
