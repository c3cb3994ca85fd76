"""Folders as OpenCompass writes them, in each of the shapes of its details."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import SpecError
from bridge.imports.found import import_run
from bridge.report.read import samples
from bridge.report.schema import Report, SampleRecord

ROWS = {
    str(at): {"origin_prompt": [{"role": "HUMAN", "prompt": f"q{at}"}], "prediction": f"It is {at}", "gold": str(at)}
    for at in range(3)
}


def folder(root: Path, results: dict[str, Any], predictions: dict[str, Any]) -> Path:
    out = root / "20260102_030405"
    for kind, files in (("results", results), ("predictions", predictions)):
        for name, content in files.items():
            path = out / kind / "qwen" / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
    return out


def read(root: Path, results: dict[str, Any], predictions: dict[str, Any]) -> tuple[Report, list[SampleRecord]]:
    report = import_run("opencompass", folder(root, results, predictions), root / "out")
    names = dict.fromkeys(row.samples for row in report.results if row.samples)
    return report, [one for name in names for one in samples(root / "out" / str(name))]


SHAPES: dict[str, Any] = {
    "rows with correct": [
        {"example_abbr": f"gsm8k_test_{at}", "pred": [str(at)], "correct": [at != 1]} for at in range(3)
    ],
    "rows with is_correct": [{"prompt": "q", "pred": str(at), "refr": "1", "is_correct": at != 1} for at in range(3)],
    "a mapping without a verdict": {
        "type": "GEN",
        **{str(at): {"predictions": str(at), "references": str(at) if at != 1 else "9"} for at in range(3)},
    },
    "rows numbered as in all the data": [
        {"example_abbr": f"gsm8k_test_{100 + at}", "pred": [str(at)], "correct": [at != 1]} for at in range(3)
    ],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_details(tmp_path: Path, shape: str) -> None:
    report, records = read(tmp_path, {"gsm8k": {"accuracy": 200 / 3, "details": SHAPES[shape]}}, {"gsm8k": ROWS})
    assert [one.scores for one in records] == [{"accuracy": 1.0}, {"accuracy": 0.0}, {"accuracy": 1.0}]
    assert [one.extracted for one in records] == ["0", "1", "2"]
    (row,) = report.results
    assert row.value == pytest.approx(2 / 3) and row.stderr is not None and row.ci95 is not None
    assert (records[0].input, records[0].target) == ([{"role": "user", "content": "q0"}], "0")
    assert report.run.started_at == "2026-01-02T03:04:05"


def test_repeats_are_a_mean(tmp_path: Path) -> None:
    details = [{"pred": ["1", "2"], "correct": [True, False]}]
    _, records = read(tmp_path, {"d": {"accuracy": 50.0, "details": details}}, {"d": {"0": ROWS["0"]}})
    assert records[0].scores == {"accuracy": 0.5}


def test_a_family_is_one_dataset_with_the_mean_over_its_subsets(tmp_path: Path) -> None:
    right = {"accuracy": 100.0, "details": [{"is_correct": True}]}
    wrong = {"accuracy": 0.0, "details": [{"is_correct": False}] * 3}
    rows = {str(at): ROWS["0"] for at in range(3)}
    report, records = read(
        tmp_path,
        {"lukaemon_mmlu_law": right, "lukaemon_mmlu_algebra": wrong, "ARC_c": right},
        {"lukaemon_mmlu_law": {"0": ROWS["0"]}, "lukaemon_mmlu_algebra": rows, "ARC_c": {"0": ROWS["0"]}},
    )
    found = {(row.dataset, row.subset, row.metric): row.value for row in report.results}
    assert found["mmlu", None, "accuracy"] == 0.5
    assert found["mmlu", "law", "accuracy"] == 1.0
    assert found["ARC_c", None, "accuracy"] == 1.0
    assert len(records) == 5


def test_what_was_never_scored_is_told(tmp_path: Path) -> None:
    report, records = read(tmp_path, {"b": {"error": "length mismatch"}}, {"a": ROWS, "b": ROWS})
    told = sorted(error.message for error in report.errors if error.kind == "backend")
    assert told == [
        "a: there are predictions and no result: it was never scored, or scoring failed",
        "b: OpenCompass could not score it: length mismatch",
    ]
    assert report.status.value == "failed"
    assert all(one.error for one in records)


def test_a_value_without_details(tmp_path: Path) -> None:
    report, records = read(tmp_path, {"d": {"score": 41.5, "perplexity": 12.0}}, {"d": ROWS})
    found = {row.metric: (row.value, row.unit, row.n_errors) for row in report.results}
    assert found["score"] == (0.415, "fraction", 0)
    assert found["perplexity"] == (12.0, "points", 0)
    assert all(one.error == "OpenCompass does not say whether this answer is right" for one in records)


def test_the_folder_around_is_named(tmp_path: Path) -> None:
    folder(tmp_path, {"d": {"accuracy": 1.0}}, {})
    with pytest.raises(SpecError, match=r"give .*20260102_030405"):
        import_run("opencompass", tmp_path, tmp_path / "out")
