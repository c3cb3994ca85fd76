"""What is in the exported files, and what the command says of the rest. The readers of others judge in test_readers."""

from __future__ import annotations

import csv
import json
import re
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import Done, bridge
from fakes import HOSTILE
from markdown_blocks import ROOT
from runs import marks, write_run

from bridge.export import FORMATS, inspect_logs
from bridge.export.source import export

csv.field_size_limit(10**9)


def exported(run: Path, to: str, *arguments: object) -> tuple[Done, list[Path]]:
    done = bridge("export", run, "--to", to, *arguments)
    return done, [Path(line) for line in done.stdout.splitlines()]


def named(files: list[Path], pattern: str) -> Path:
    (found,) = [path for path in files if re.search(pattern, str(path))]
    return found


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


@pytest.mark.parametrize("to", [name for name in FORMATS if name not in ("wandb", "mlflow")])
def test_every_format_says_what_it_leaves_out_and_prints_its_files(run: Path, to: str) -> None:
    done, files = exported(run, to)
    assert done.exit_code == 0
    assert files and all(path.is_file() and path.is_relative_to(run / "exports" / to) for path in files)
    assert "lost (native)" in done.stderr
    assert not list(run.rglob("*.tmp"))


@pytest.mark.parametrize("to", [name for name in FORMATS if name not in ("wandb", "mlflow")])
def test_the_same_run_gives_the_same_files_again(run: Path, to: str, tmp_path: Path) -> None:
    first = exported(run, to, "--output", tmp_path / "out")[1]
    assert exported(run, to, "--output", tmp_path / "out")[1] == first
    assert {path for path in (tmp_path / "out").rglob("*") if path.is_file()} == set(first)


def test_csv_has_every_row_and_every_sample(run: Path) -> None:
    files = exported(run, "csv")[1]
    with named(files, "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with named(files, "samples.csv").open(newline="") as file:
        samples = list(csv.DictReader(file))
    assert len(rows) == len(json.loads((run / "report.json").read_text())["results"])
    lost = next(row for row in rows if row["dataset"] == "lost")
    assert (lost["value"], lost["reason"], lost["n_errors"]) == ("", "down", "3")
    assert len(samples) == 12 + 4 + 10 + len(HOSTILE)
    failed = next(sample for sample in samples if sample["error"])
    assert (failed["error"], failed["score"], failed["response"]) == ("HTTP 500", "", "")
    assert (samples[0]["target"], samples[0]["prompt"]) == ('["4","four"]', "system: Be brief.\nuser: What is 0 + 2?")


@pytest.mark.parametrize(
    ("text", "cell"),
    [("=1+1", "'=1+1"), ("@x", "'@x"), ("-5", "-5"), ("+3.5", "+3.5"), ("-x", "'-x"), ("5", "5"), ("a=b", "a=b")],
)
def test_a_spreadsheet_takes_no_answer_for_a_formula(tmp_path: Path, text: str, cell: str) -> None:
    one = [marks("1")[0].model_copy(update={"response": text})]
    files = exported(write_run(tmp_path / "run", {"d": one}), "csv")[1]
    with named(files, "samples.csv").open(newline="") as file:
        assert next(csv.DictReader(file))["response"] == cell


def test_every_eval_ever_leaves_out_what_it_cannot_say(run: Path) -> None:
    done, files = exported(run, "every_eval_ever", "--meta", "developer=acme", "--meta", "availability=open_weights")
    assert "1 samples without a score are not among the instances" in done.stderr
    assert "accuracy has no value and is left out: down" in done.stderr
    aggregate = json.loads(named(files, r"repeated/acme/qwen/[0-9a-f-]{36}\.json$").read_text())
    assert aggregate["model_info"]["id"] == "acme/qwen"
    assert aggregate["model_info"]["additional_details"]["model_availability"] == "open_weights"
    assert aggregate["model_info"]["additional_details"]["deployment_type"] == "self_deployed"
    (result,) = aggregate["evaluation_results"]
    assert result["score_details"]["score"] == 0.5
    assert result["generation_config"]["generation_args"] == {"temperature": 0.0, "max_tokens": 512}
    samples = lines(named(files, r"repeated/.*_samples\.jsonl$"))
    assert [one["sample_id"] for one in samples[:3]] == ["0", "0#1", "1"]
    assert samples[0]["evaluation_result_id"] == result["evaluation_result_id"]


def test_every_line_of_every_eval_ever_is_one_line_for_every_reader(run: Path) -> None:
    path = named(exported(run, "every_eval_ever")[1], r"odd/.*_samples\.jsonl$")
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(HOSTILE)


def test_inspect_has_messages_tokens_and_errors(run: Path) -> None:
    path = named(exported(run, "inspect")[1], r"mmlu\.native")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist()[-1] == "header.json"
        header = json.loads(archive.read("header.json"))
        first = json.loads(archive.read("samples/x/0_epoch_1.json"))
        failed = json.loads(archive.read("samples/x/4_epoch_1.json"))
    assert header["stats"]["model_usage"]["org/qwen"]["input_tokens"] == sum(range(10, 22))
    assert header["plan"]["config"] == {"temperature": 0.0, "max_tokens": 512}
    assert [message["role"] for message in first["messages"]] == ["system", "user", "assistant"]
    assert first["scores"]["accuracy"] == {"value": "C", "answer": "1"}
    assert first["output"]["choices"][0]["stop_reason"] == "stop"
    assert failed["error"]["message"] == "HTTP 500" and "scores" not in failed


def test_a_large_dataset_becomes_several_inspect_logs(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect_logs, "LOG_SIZE", 5)
    parts = [path for path in exported(run, "inspect")[1] if "mmlu.native" in path.name]
    sizes = []
    for path in parts:
        with zipfile.ZipFile(path) as archive:
            sizes.append(json.loads(archive.read("header.json"))["eval"]["dataset"]["samples"])
    assert sizes == [5, 5, 2]


def test_ids_that_are_paths_stay_in_the_log(tmp_path: Path) -> None:
    odd = [
        one.model_copy(update={"sample_id": name})
        for one, name in zip(marks("111"), ("../x", "a/b", "a/b"), strict=True)
    ]
    path = named(exported(write_run(tmp_path / "run", {"d": odd}), "inspect")[1], "eval$")
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.startswith("samples/")]
    assert names == ["samples/%2E.%2Fx_epoch_1.json", "samples/a%2Fb_epoch_1.json", "samples/a%2Fb~2_epoch_1.json"]


def test_lm_eval_has_groups_and_leaves_out_failed_samples(run: Path) -> None:
    done, files = exported(run, "lm-eval")
    assert "mmlu (native): samples without an answer are left out: the format has no errors" in done.stderr
    results = json.loads(named(files, r"native/results_.*\.json$").read_text())
    assert results["group_subtasks"]["mmlu"] == ["mmlu_x", "mmlu_y"]
    assert results["results"]["mmlu"]["accuracy,none"] == pytest.approx(7 / 11)
    assert results["n-samples"]["mmlu"] == {"original": 12, "effective": 11}
    samples = lines(named(files, r"native/samples_mmlu_x_.*\.jsonl$"))
    assert len(samples) == 5
    assert (samples[0]["accuracy"], samples[0]["filtered_resps"], samples[0]["target"]) == (1.0, ["1"], '["4","four"]')


def test_model_card(run: Path) -> None:
    (path,) = exported(run, "model-card", "--meta", "url=https://example.org/r")[1]
    (index,) = yaml.safe_load(path.read_text())["model-index"]
    assert index["name"] == "qwen"
    assert [result["dataset"]["name"] for result in index["results"]] == ["mmlu", "mmlu", "repeated", "odd", "arena"]
    assert index["results"][2]["metrics"][0]["value"] == 0.5
    assert index["results"][2]["source"]["url"] == "https://example.org/r"
    (plain,) = exported(run, "model-card")[1]
    assert "source" not in yaml.safe_load(plain.read_text())["model-index"][0]["results"][0]


def test_parquet(run: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra [parquet]")
    files = exported(run, "parquet")[1]
    samples = parquet.read_table(named(files, "samples.parquet")).to_pylist()
    assert len(samples) == 12 + 4 + 10 + len(HOSTILE)
    assert (samples[0]["score"], samples[0]["prompt_tokens"], samples[0]["subset"]) == (1.0, 10, "x")
    assert samples[4]["error"] == "HTTP 500" and samples[4]["score"] is None
    assert [one["response"] for one in samples[-len(HOSTILE) :]] == list(HOSTILE)


@pytest.mark.parametrize(("to", "module"), [("parquet", "pyarrow"), ("wandb", "wandb"), ("mlflow", "mlflow")])
def test_a_library_that_is_not_there_is_named(run: Path, to: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    done = exported(run, to)[0]
    assert (done.exit_code, done.stdout) == (3, "")
    assert f"the format {to} needs a library that is not installed ({module}): pip install {module}" in done.stderr


def test_lines_that_are_no_samples_are_left_out_and_told(run: Path) -> None:
    with (run / "samples/native/mmlu.jsonl").open("ab") as file:
        file.write(b'{"model": "org/qw')
    done, files = exported(run, "csv")
    assert "mmlu (native): 1 line of mmlu.jsonl cannot be read and are left out" in done.stderr
    assert len(files) == 2


def test_wrong_command_lines(run: Path, tmp_path: Path) -> None:
    assert "did you mean 'inspect'?" in exported(run, "inspekt")[0].stderr
    done = exported(run, "every_eval_ever", "--meta", "developr=x", "--meta", "y")[0]
    assert done.exit_code == 2
    assert "takes no 'developr' (did you mean 'developer'?)" in done.stderr and "'y' is no KEY=VALUE" in done.stderr
    assert exported(tmp_path, "csv")[0].exit_code == 6
    (tmp_path / "file").write_text("")
    done = exported(run, "csv", "--output", tmp_path / "file")[0]
    assert done.exit_code == 6 and "cannot be written" in done.stderr


def test_from_python(run: Path, tmp_path: Path) -> None:
    files, notes = export(run, "csv", tmp_path / "out")
    assert [path.name for path in files] == ["results.csv", "samples.csv"]
    assert len(notes) == 2


def test_what_an_export_or_an_import_may_lack_is_an_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    wanted = {"parquet": "pyarrow", "wandb": "wandb", "mlflow": "mlflow", "zstandard": "zstandard"}
    assert {name: extras[name][0].partition(">=")[0] for name in wanted} == wanted
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    assert [name for name in wanted if f"evalbridge[{name}]" not in page] == []
