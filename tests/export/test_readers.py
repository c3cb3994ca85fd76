"""The exported files, opened by the tools that they are for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from fakes import HOSTILE
from oracle_env import ask, oracle
from oracle_env import run as run_python
from runs import write

from bridge.export.source import export
from bridge.report.read import read_report

pytestmark = pytest.mark.env
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def peers() -> Path:
    return oracle("peers", "every_eval_ever, lm_eval.utils, huggingface_hub", python="3.12")


@pytest.fixture(scope="module")
def inspect() -> Path:
    return oracle("inspect", "inspect_ai")


@pytest.fixture(scope="module")
def trackers() -> Path:
    return oracle("trackers", "wandb, mlflow")


def test_every_eval_evers_validator_passes(run: Path, tmp_path: Path, peers: Path) -> None:
    files, _ = export(run, "every_eval_ever", tmp_path / "out")
    command = ["-m", "every_eval_ever", "validate", "--format", "json", "data/*/*/*/*.json*"]
    done = run_python(peers, command, tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(files) == 9


def test_the_validator_notices_a_percent(run: Path, tmp_path: Path, peers: Path) -> None:
    files, _ = export(run, "every_eval_ever", tmp_path / "out")
    path = next(path for path in files if path.suffix == ".json" and "repeated" in str(path))
    path.write_text(path.read_text().replace('"score": 0.5', '"score": 50'))
    done = run_python(
        peers, ["-m", "every_eval_ever", "validate", str(path.relative_to(tmp_path / "out"))], tmp_path / "out"
    )
    assert done.returncode == 1, done.stdout


def test_inspect_opens_every_log(run: Path, tmp_path: Path, inspect: Path) -> None:
    files, _ = export(run, "inspect", tmp_path / "out")
    code = """
from inspect_ai.log import list_eval_logs, read_eval_log, read_eval_log_sample, read_eval_log_sample_summaries
found = {}
for info in list_eval_logs(given):
    log, header = read_eval_log(info.name), read_eval_log(info.name, header_only=True)
    rows = read_eval_log_sample_summaries(info.name)
    texts = []
    for row in rows:
        sample = read_eval_log_sample(info.name, row.id, row.epoch)
        texts.append([sample.output.completion, sample.error and sample.error.message, str(sample.target)])
    mean = header.results.scores[0].metrics["mean"].value if header.results.scores else None
    found[log.eval.task] = [log.status, len(log.samples or []), mean, texts]
print(json.dumps(found))
"""
    found = ask(inspect, code, str(tmp_path / "out"), tmp_path)
    assert len(found) == len(files) == 6
    assert found["mmlu.native"][:3] == ["success", 12, pytest.approx(7 / 11)]
    assert found["mmlu.native"][3][4][:2] == ["", "HTTP 500"]
    assert [text for text, _, _ in found["odd.native"][3]] == list(HOSTILE)
    assert found["lost.native"][0] == "error"
    assert found["arena.native"][:3] == ["success", 0, 1012.5]


def test_lm_eval_prints_the_table(run: Path, tmp_path: Path, peers: Path) -> None:
    files, _ = export(run, "lm-eval", tmp_path / "out")
    path = next(path for path in files if path.name.startswith("results") and "native" in str(path))
    code = "from lm_eval.utils import make_table\nprint(json.dumps(make_table(json.load(open(given)))))"
    table = ask(peers, code, str(path), tmp_path)
    rows = {cells[1].strip(): cells for line in table.splitlines() if (cells := line.split("|"))[1:2]}
    assert float(rows["mmlu"][7]) == pytest.approx(7 / 11, abs=1e-4)
    assert "- mmlu_x" in rows


def test_every_eval_ever_converts_the_lm_eval_files(run: Path, tmp_path: Path, peers: Path) -> None:
    report = read_report(run)
    rows = tuple(row for row in report.results if row.samples is not None)
    write(run, report.model_copy(update={"results": rows}))
    files, _ = export(run, "lm-eval", tmp_path / "out")
    folder = next(path.parent for path in files if "native" in str(path))
    command = [
        "-m",
        "every_eval_ever",
        "convert",
        "lm_eval",
        "--log_path",
        str(folder),
        "--output_dir",
        str(tmp_path / "eee"),
    ]
    command += ["--source_organization_name", "x", "--evaluator_relationship", "other", "--include_samples"]
    done = run_python(peers, command, tmp_path)
    assert done.returncode == 0, done.stderr
    (aggregate,) = (tmp_path / "eee").glob("repeated/*/*/*.json")
    assert json.loads(aggregate.read_text())["evaluation_results"][0]["score_details"]["score"] == 0.5


def test_the_hub_reads_the_model_card(run: Path, tmp_path: Path, peers: Path) -> None:
    (path,), _ = export(run, "model-card", tmp_path / "out")
    code = """
import yaml
from huggingface_hub.repocard_data import ModelCardData, model_index_to_eval_results
index = yaml.safe_load(open(given))["model-index"]
name, results = model_index_to_eval_results(index)
card = ModelCardData(model_name=name, eval_results=results)
told = [[one.dataset_name, one.metric_type, one.metric_value] for one in results]
print(json.dumps([name, told, "model-index" in card.to_yaml()]))
"""
    name, results, whole = ask(peers, code, str(path), tmp_path)
    assert (name, whole) == ("qwen", True)
    assert ["repeated", "accuracy", 0.5] in results


def test_wandb_takes_the_run_offline(run: Path, tmp_path: Path, trackers: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from bridge.export.source import export
files, notes = export(Path(given[0]), "wandb", Path(given[1]))
from wandb.proto import wandb_internal_pb2
raw, at, record, seen = next(files[0].glob("*.wandb")).read_bytes(), 7, b"", {{}}
while at + 7 <= len(raw):  # LevelDB's log: blocks of 32 KiB, of records in one piece (1) or several (2, 3 …, 4)
    if 32768 - at % 32768 < 7:
        at += 32768 - at % 32768
        continue
    size, kind = int.from_bytes(raw[at + 4 : at + 6], "little"), raw[at + 6]
    record += raw[at + 7 : at + 7 + size]
    at += 7 + size
    if kind in (1, 4):
        parsed, record = wandb_internal_pb2.Record.FromString(record), b""
        for item in parsed.summary.update:
            seen["/".join(item.nested_key) or item.key] = json.loads(item.value_json)
print(json.dumps([len(files), seen]))
"""
    count, seen = ask(trackers, code, [str(run), str(tmp_path / "out")], tmp_path)
    assert count == 1
    assert seen["repeated.native/accuracy"] == 0.5
    assert seen["mmlu.native/n_errors"] == 1


def test_mlflow_takes_the_run_into_a_file(run: Path, tmp_path: Path, trackers: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from bridge.export.source import export
files, notes = export(Path(given[0]), "mlflow", Path(given[1]))
import mlflow
client = mlflow.MlflowClient(f"sqlite:///{{files[0]}}")
run = client.search_runs([client.get_experiment_by_name("bridge").experiment_id])[0]
artifacts = [one.path for one in client.list_artifacts(run.info.run_id)]
print(json.dumps([run.info.status, run.data.metrics, run.data.params["model"], artifacts]))
"""
    status, metrics, model, artifacts = ask(trackers, code, [str(run), str(tmp_path / "out")], tmp_path)
    assert (status, model, artifacts) == ("FINISHED", "org/qwen", ["report.json"])
    assert metrics["repeated.native/accuracy"] == 0.5
    assert metrics["lost.native/n_errors"] == 3


def test_the_python_that_tests_is_not_the_one_that_judges(peers: Path) -> None:
    assert peers != Path(sys.executable)
