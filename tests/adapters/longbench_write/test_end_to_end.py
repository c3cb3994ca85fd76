"""The backend through the whole pipeline: real processes, a real gateway, two real servers."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import Fault, FaultServer
from server_thread import ServerThread, serving

from bridge.report.schema import ErrorKind, Report, ResultRow, SampleRecord, Status
from bridge.rundir import RunDir
from bridge.runs import run
from bridge.spec import TaskSpec

SHARED = Path(__file__).parents[4] / "shared" / "data" / "longbench_write"
MARKS = {"Relevance": 4, "Accuracy": 3, "Coherence": 4, "Clarity": 3, "Breadth and Depth": 4, "Reading Experience": 3}
GOOD = json.dumps({"Analysis": "Fine.", **MARKS})
WriteRows = Callable[[int], Path]


@pytest.fixture
def model() -> Iterator[ServerThread]:
    with serving(FaultServer(model="tiny", answer=lambda prompt: f"My text about: {prompt}")) as thread:
        yield thread


@pytest.fixture
def judge() -> Iterator[ServerThread]:
    with serving(FaultServer(model="judge", answer=lambda prompt: GOOD)) as thread:
        yield thread


def spec(model: ServerThread, judge: ServerThread | None, path: Path, **fields: Any) -> TaskSpec:
    return TaskSpec.model_validate(
        {
            "model": {"name": "tiny", "endpoint": {"base_url": model.server.base_url}},
            "judge": {"name": "judge", "endpoint": {"base_url": judge.server.base_url}} if judge else None,
            "backend": "longbench_write",
            "datasets": [{"name": "longbench_write", "path": str(path)}],
            "concurrency": 16,
            "max_retries": 1,
            **fields,
        }
    )


def row(report: Report, metric: str, dataset: str = "longbench_write") -> ResultRow:
    (found,) = [row for row in report.results if (row.dataset, row.metric, row.category) == (dataset, metric, None)]
    return found


def samples(output: Path) -> list[SampleRecord]:
    lines = RunDir(output).samples("longbench_write", "longbench_write").read_text(encoding="utf-8").splitlines()
    return [SampleRecord.model_validate_json(line) for line in lines]


def test_complete_and_then_nothing_is_asked_again(
    model: ServerThread, judge: ServerThread, write_rows: WriteRows, tmp_path: Path
) -> None:
    task = spec(model, judge, write_rows(12))
    report = run(task, output=tmp_path / "run")
    assert (report.status, report.exit_code, report.errors) == (Status.COMPLETE, 0, ())
    assert (row(report, "overall").n, row(report, "overall").primary) == (12, True)
    assert row(report, "quality_score").value == pytest.approx(62.5)
    assert report.usage.requests == 24
    first = samples(tmp_path / "run")[0]
    assert first.response == "My text about: Write about thing number 0."
    assert first.metadata["required_words"] == 100
    assert first.metadata["written_words"] == 7
    assert run(task, output=tmp_path / "run") == report
    assert len(model.server.journal) == len(judge.server.journal) == 12


def test_a_judge_that_talks_nonsense_makes_the_run_partial_and_costs_no_text(
    model: ServerThread, judge: ServerThread, write_rows: WriteRows, tmp_path: Path
) -> None:
    judge.server.answer = lambda prompt: (
        "Lovely." if "thing number 4." in prompt or "cannot be used" in prompt else GOOD
    )
    task = spec(model, judge, write_rows(12), options={"longbench_write": {"judge": {"attempts": 2}}})
    report = run(task, output=tmp_path / "run")
    assert (report.status, report.exit_code) == (Status.PARTIAL, 7)
    assert (row(report, "length_score").n, row(report, "overall").n, row(report, "overall").n_errors) == (12, 11, 1)
    assert [error.kind for error in report.errors] == [ErrorKind.UNANSWERED]
    assert "could not be read in 2 attempts" in (samples(tmp_path / "run")[4].error or "")

    asked = len(judge.server.journal)
    judge.server.answer = lambda prompt: GOOD
    healed = run(task, output=tmp_path / "run")
    assert (healed.status, row(healed, "overall").n) == (Status.COMPLETE, 12)
    assert len(model.server.journal) == 12
    assert len(judge.server.journal) - asked == 1, "only the one that was not understood is asked again"


def test_a_judge_that_dies_stops_the_run_and_loses_nothing(
    model: ServerThread, judge: ServerThread, write_rows: WriteRows, tmp_path: Path
) -> None:
    judge.server.default = Fault(latency_s=0.1)
    judge.stop_after(5)
    task = spec(model, judge, write_rows(24), concurrency=2)
    started = time.monotonic()
    report = run(task, output=tmp_path / "run")
    assert time.monotonic() - started < 30
    assert report.status in (Status.PARTIAL, Status.FAILED) and report.exit_code != 0
    lengths = row(report, "length_score")
    assert (lengths.n, lengths.n_errors) == (24, 0)
    judged = row(report, "overall").n
    assert judged < 24

    judge.restart()
    healed = run(task, output=tmp_path / "run")
    assert (healed.status, row(healed, "overall").n) == (Status.COMPLETE, 24)
    assert len(model.server.journal) == 24


def test_without_a_judge(model: ServerThread, write_rows: WriteRows, tmp_path: Path) -> None:
    report = run(spec(model, None, write_rows(8)), output=tmp_path / "run")
    assert (report.status, report.exit_code) == (Status.COMPLETE, 0)
    assert row(report, "length_score").primary
    assert row(report, "quality_score").reason == "the spec names no judge, so nothing was judged"


PROGRAM = """
import sys
from pathlib import Path
from bridge.runs import run
from bridge.spec import TaskSpec
run(TaskSpec.model_validate_json(Path(sys.argv[1]).read_text()), output=Path(sys.argv[2]))
"""


def test_bridge_itself_killed_and_run_again(
    model: ServerThread, judge: ServerThread, write_rows: WriteRows, tmp_path: Path
) -> None:
    """120 texts, jittered; killed while it writes and while it judges: every answer beside its own task, asked once."""
    model.server.default = judge.server.default = Fault(latency_s=0.04)
    model.server.jitter = True
    task = spec(model, judge, write_rows(120))
    path, output = tmp_path / "spec.json", tmp_path / "run"
    path.write_text(task.model_dump_json(), encoding="utf-8")
    for server, requests in ((model.server, 40), (judge.server, 40)):
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path), str(output)])
        _wait_until(lambda s=server, n=requests: len(s.journal) >= n)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        time.sleep(0.5)

    report = run(task, output=output)
    assert (report.status, row(report, "overall").n) == (Status.COMPLETE, 120)
    seen = samples(output)
    assert all(record.response == f"My text about: {_prompt(record)}" for record in seen)
    assert [record.sample_id for record in seen] == [str(at) for at in range(120)]
    for server in (model.server, judge.server):
        assert 120 <= len(server.journal) <= 120 + 2 * 16, "only what was in flight is asked again"


def _prompt(record: SampleRecord) -> str:
    assert isinstance(record.input, list)
    return str(record.input[0]["content"])


def _wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the benchmark's files are not here")
def test_the_real_files(model: ServerThread, judge: ServerThread, tmp_path: Path) -> None:
    """All 228 tasks; those of the English half are asked once, though they are in two files."""
    model.server.default, model.server.jitter = Fault(latency_s=0.02), True
    names = ("longbench_write", "longbench_write_en", "longwrite_ruler")
    datasets = [{"name": name, "path": str(SHARED)} for name in names]
    report = run(spec(model, judge, SHARED, datasets=datasets), output=tmp_path / "run")
    assert report.status is Status.COMPLETE
    assert {name: row(report, "overall", name).n for name in names} == dict(zip(names, (120, 60, 48), strict=True))
    assert len(model.server.journal) == 120 + 48
    seen = samples(tmp_path / "run")
    assert sum(record.response == f"My text about: {_prompt(record)}" for record in seen) == 120
