"""What bridge itself exports comes back as it was; and files in the shapes that the tools write."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from command import bridge
from runs import marks, record, write_run

from bridge.errors import OutputError, SpecError
from bridge.export.source import export
from bridge.imports.found import import_run
from bridge.report.compare import Options, compare
from bridge.report.compare_schema import DatasetComparison
from bridge.report.read import samples
from bridge.report.schema import Report, SampleRecord


def imported(framework: str, path: Path, folder: Path) -> tuple[Report, list[SampleRecord]]:
    report = import_run(framework, path, folder)
    names = dict.fromkeys(row.samples for row in report.results if row.samples)
    return report, [one for name in names for one in samples(folder / str(name))]


def values(report: Report) -> dict[tuple[str, str | None, str], float | None]:
    return {(row.dataset, row.subset, row.metric): row.value for row in report.results}


def compared(a: Path, b: Path) -> DatasetComparison:
    return compare([str(a), str(b)], Options()).against[0].datasets[0]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    asked = [
        one.model_copy(
            update={
                "subset": "xy"[at % 2],
                "usage": {"prompt_tokens": 3, "completion_tokens": 5},
                "input": [{"role": "system", "content": "s"}, {"role": "user", "content": f"q{at}"}],
            }
        )
        for at, one in enumerate(marks("11010e01"))
    ]
    repeated = [record(str(at), "10"[(at + repeat) % 2], repeat=repeat) for at in range(4) for repeat in range(2)]
    return write_run(tmp_path / "run", {"mmlu": asked, "gsm8k": repeated})


def test_an_inspect_log_of_ours_comes_back(run: Path, tmp_path: Path) -> None:
    files, _ = export(run, "inspect", tmp_path / "logs")
    report, records = imported("inspect", tmp_path / "logs", tmp_path / "back")
    assert {row.backend for row in report.results} == {"inspect"}
    assert values(report)["mmlu.native", None, "accuracy"] == pytest.approx(4 / 7)
    assert values(report)["gsm8k.native", None, "accuracy"] == 0.5
    assert len(records) == 16
    failed = next(one for one in records if one.error)
    assert (failed.error, failed.scores, failed.response) == ("HTTP 500", {}, None)
    first = next(one for one in records if one.dataset == "mmlu.native")
    assert (first.extracted, first.usage, first.input) == (
        "1",
        {"prompt_tokens": 3, "completion_tokens": 5},
        [{"role": "system", "content": "s"}, {"role": "user", "content": "q0"}],
    )
    assert [one.repeat for one in records if one.dataset == "gsm8k.native"][:4] == [0, 1, 0, 1]
    alone = import_run("inspect", files[0], tmp_path / "one")
    assert {row.dataset for row in alone.results} == {"mmlu.native"}


def test_our_lm_eval_files_come_back(run: Path, tmp_path: Path) -> None:
    export(run, "lm-eval", tmp_path / "lm")
    report, records = imported("lm-eval", tmp_path / "lm", tmp_path / "back")
    found = values(report)
    assert found["mmlu", None, "accuracy"] == pytest.approx(4 / 7)
    assert found["mmlu", "x", "accuracy"] == 0.25
    assert len([one for one in records if one.dataset == "mmlu"]) == 7
    assert (records[0].input, records[0].extracted, records[0].subset) == ("system: s\nuser: q0", "1", "x")
    primary = [row for row in report.results if row.primary]
    assert [(row.dataset, row.stderr is not None) for row in primary] == [("mmlu", True), ("gsm8k", True)]


def test_imported_results_are_marked_and_compare_with_others(run: Path, tmp_path: Path) -> None:
    export(run, "inspect", tmp_path / "logs")
    done = bridge("import", "inspect", tmp_path / "logs", "-o", tmp_path / "back")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == str(tmp_path / "back" / "report.html")
    assert "imported: inspect made these results, not bridge" in done.stderr
    comparison = compare([str(run), str(tmp_path / "back")], Options(datasets={"mmlu": "mmlu.native"}))
    assert comparison.against[0].candidate.imported is True
    (one,) = comparison.against[0].datasets
    assert (one.baseline_backend, one.candidate_backend, one.difference) == ("native", "inspect", 0.0)
    assert one.n == 7


def test_scores_of_inspect(tmp_path: Path) -> None:
    scores: list[Any] = ["C", "I", "P", "N", 0.25, True, {"a": "C", "b": 0.5}, "maybe"]
    log = {
        "version": 2,
        "status": "success",
        "eval": {
            "task": "evals/sums",
            "model": "m",
            "dataset": {},
            "created": "2026-01-01T00:00:00+00:00",
            "config": {"limit": 8},
        },
        "samples": [_inspect_sample(at, value) for at, value in enumerate(scores)],
    }
    (tmp_path / "log.json").write_text(json.dumps(log))
    _, records = imported("inspect", tmp_path / "log.json", tmp_path / "back")
    assert [one.scores for one in records] == [
        *({"s": value} for value in (1.0, 0.0, 0.5, 0.0, 0.25, 1.0)),
        {"s.a": 1.0, "s.b": 0.5},
        {},
    ]
    assert records[-1].error == "not scored"
    assert records[0].dataset == "sums"


def _inspect_sample(at: int, value: Any) -> dict[str, Any]:
    return {"id": at, "epoch": 1, "input": "q", "target": "t", "scores": {"s": {"value": value}}}


def test_a_log_that_was_killed_has_its_samples(tmp_path: Path) -> None:
    path = tmp_path / "x.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("_journal/start.json", json.dumps({"version": 2, "eval": {"task": "t", "model": "m"}}))
        archive.writestr("samples/0_epoch_1.json", json.dumps(_inspect_sample(0, "C")))
    report, records = imported("inspect", path, tmp_path / "back")
    assert (report.status.value, len(records)) == ("partial", 1)
    assert any("the log's status is 'started'" in error.message for error in report.errors)


def test_the_same_task_twice_gets_two_names(tmp_path: Path) -> None:
    for name in "ab":
        log = {"status": "success", "eval": {"task": "t", "model": "m"}, "samples": [_inspect_sample(0, "C")]}
        (tmp_path / f"{name}.json").write_text(json.dumps(log))
    (tmp_path / "other.json").write_text('{"x": 1}')
    report = import_run("inspect", tmp_path, tmp_path / "back")
    assert [row.dataset for row in report.results] == ["t", "t.2"]
    told = " ".join(error.message for error in report.errors)
    assert "other.json is no log of Inspect and is left out" in told and "the later one is named t.2" in told


@pytest.mark.parametrize("content", [b"PK\x03\x04 half", b"", b"{}"])
def test_half_a_log_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.eval"
    path.write_bytes(content)
    with pytest.raises(OutputError, match="is no zip"):
        import_run("inspect", path, tmp_path / "back")


def test_lm_eval_with_filters_groups_and_chat(tmp_path: Path) -> None:
    moment = "2026-01-01T00-00-00.123456"
    results = {
        "results": {
            "gsm8k": {
                "alias": "gsm8k",
                "exact_match,strict-match": 0.5,
                "exact_match_stderr,strict-match": 0.5,
                "exact_match,flexible-extract": 1.0,
                "exact_match_stderr,flexible-extract": "N/A",
            },
            "mmlu": {"acc,none": 0.75, "acc_stderr,none": 0.1},
            "mmlu_stem": {"acc,none": 0.5},
            "mmlu_law": {"acc,none": 1.0},
            "mmlu_algebra": {"acc,none": 0.5},
            "wikitext": {"word_perplexity,none": 12.5},
        },
        "group_subtasks": {"mmlu": ["mmlu_stem", "mmlu_law"], "mmlu_stem": ["mmlu_algebra"], "gsm8k": []},
        "configs": {"gsm8k": {"test_split": "test", "generation_kwargs": {"temperature": 0}}},
        "n-shot": {"gsm8k": 5},
        "n-samples": {"gsm8k": {"original": 1319, "effective": 2}},
        "higher_is_better": {"wikitext": {"word_perplexity": False}},
        "config": {"model": "local-chat-completions", "model_args": "model=qwen,base_url=http://x", "limit": 2},
    }
    (tmp_path / f"results_{moment}.json").write_text(json.dumps(results))
    lines = [
        {
            "doc_id": at,
            "target": "4",
            "filter": name,
            "exact_match": score,
            "metrics": ["exact_match"],
            "resps": [["It is 4"]],
            "filtered_resps": ["4"],
            "prompt_hash": f"{at}",
            "arguments": {"gen_args_0": {"arg_0": '[{"role": "user", "content": "q"}]', "arg_1": {}}},
        }
        for at, strict in ((0, 1.0), (1, 0.0))
        for name, score in (("strict-match", strict), ("flexible-extract", 1.0))
    ]
    (tmp_path / f"samples_gsm8k_{moment}.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + '\n{"half')
    report, records = imported("lm-eval", tmp_path, tmp_path / "back")
    found = values(report)
    assert found["gsm8k", None, "exact_match,strict-match"] == 0.5
    assert found["gsm8k", None, "exact_match,flexible-extract"] == 1.0
    assert found["mmlu", None, "acc"] == 0.75
    assert found["mmlu", "law", "acc"] == 1.0 and found["mmlu", "mmlu_algebra".removeprefix("mmlu_"), "acc"] == 0.5
    assert [one.scores for one in records][1] == {"exact_match,strict-match": 0.0, "exact_match,flexible-extract": 1.0}
    assert records[0].input == [{"role": "user", "content": "q"}]
    wikitext = next(row for row in report.results if row.dataset == "wikitext")
    assert (wikitext.unit, wikitext.higher_is_better, wikitext.primary) == ("points", False, True)
    gsm8k = next(row for row in report.results if row.dataset == "gsm8k" and row.primary)
    assert (gsm8k.num_fewshot, gsm8k.settings["limit"], gsm8k.model) == (5, 2, "qwen")
    assert any("1 line cannot be read" in error.message for error in report.errors)


def test_a_value_that_its_samples_do_not_come_to_is_the_reported_one(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"d": marks("1100")})
    (path, *_), _ = export(run, "lm-eval", tmp_path / "lm")
    path.write_text(path.read_text().replace('"accuracy,none": 0.5', '"accuracy,none": 0.7'))
    report = import_run("lm-eval", path, tmp_path / "back")
    (row,) = [row for row in report.results if row.primary]
    assert (row.value, row.ci95) == (0.7, None)
    assert row.reason == "reported 0.7; the mean of the samples' scores is 0.5"


@pytest.mark.parametrize(
    ("framework", "content", "told"),
    [
        ("lm-eval", None, "holds no results_*.json"),
        ("lm-eval", "{}", "has no 'results'"),
        ("inspect", None, "holds no results of inspect"),
        ("evalscope", None, "it has no reports/"),
        ("opencompass", None, "has neither predictions/ nor results/"),
    ],
)
def test_folders_that_hold_something_else(tmp_path: Path, framework: str, content: str | None, told: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    if content is not None:
        (folder / "results_x.json").write_text(content)
    with pytest.raises(SpecError) as caught:
        import_run(framework, folder, tmp_path / "out")
    assert told in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_wrong_command_lines(run: Path, tmp_path: Path) -> None:
    assert "did you mean 'inspect'?" in bridge("import", "inspekt", run).stderr
    assert bridge("import", "inspect", tmp_path / "none").exit_code == 2
    export(run, "inspect", tmp_path / "logs")
    done = bridge("import", "inspect", tmp_path / "logs", "-o", run)
    assert done.exit_code == 2 and "is not empty" in done.stderr
