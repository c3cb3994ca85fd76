"""The whole pipeline with real processes, a real gateway and a real server; only the framework is made up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_backend import ROWS, FakeBackend
from fault_server import Fault, FaultServer
from server_thread import ServerThread, serving

import bridge.plan
from bridge.errors import OutputError, SpecError
from bridge.report.schema import ErrorKind, Report, Status
from bridge.rundir import RunDir
from bridge.runs import remake_report, run
from bridge.spec import TaskSpec


@pytest.fixture(autouse=True)
def only_the_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"fake": FakeBackend()}
    monkeypatch.setattr(bridge.plan, "backend_names", lambda: tuple(made))
    monkeypatch.setattr(bridge.plan, "backend", made.__getitem__)


@pytest.fixture
def server() -> Iterator[ServerThread]:
    with serving(FaultServer(model="m")) as thread:
        yield thread


def spec(server: ServerThread, **fields: object) -> TaskSpec:
    model = {"name": "m", "endpoint": {"base_url": server.server.base_url}}
    return TaskSpec.model_validate({"model": model, "datasets": ["sums", "words"], "max_retries": 2, **fields})


def values(report: Report) -> dict[str, tuple[float | None, int, int]]:
    return {row.dataset: (row.value, row.n, row.n_errors) for row in report.results if row.primary}


def test_a_run_is_complete_and_leaves_its_report(server: ServerThread, tmp_path: Path) -> None:
    report = run(spec(server), output=tmp_path / "run")
    assert (report.status, report.exit_code) == (Status.COMPLETE, 0)
    assert values(report) == {"sums": (1.0, ROWS, 0), "words": (1.0, ROWS, 0)}
    assert report.usage.requests == 2 * ROWS
    rundir = RunDir(tmp_path / "run")
    assert json.loads(rundir.report_json.read_text())["run"]["status"] == "complete"
    assert rundir.report_html.exists()
    assert rundir.report_md.exists()
    assert len(rundir.samples("fake", "sums").read_text().splitlines()) == ROWS


def test_a_finished_run_asks_nothing_again(server: ServerThread, tmp_path: Path) -> None:
    first = run(spec(server), output=tmp_path)
    server.stop()
    assert run(spec(server), output=tmp_path) == first
    assert len(server.server.journal) == 2 * ROWS


def test_a_passing_error_costs_a_retry_and_no_score(server: ServerThread, tmp_path: Path) -> None:
    server.server.script(Fault(status=500), Fault(status=429, retry_after="0"))
    report = run(spec(server), output=tmp_path)
    assert report.status is Status.COMPLETE
    assert report.usage.retried == 2


def test_a_request_that_finally_failed_is_counted_and_not_scored(server: ServerThread, tmp_path: Path) -> None:
    server.server.rule = lambda body: Fault(status=400 if body["messages"][0]["content"] == "sums 3" else 200)
    report = run(spec(server), output=tmp_path / "run")
    assert values(report) == {"sums": (1.0, ROWS - 1, 1), "words": (1.0, ROWS, 0)}
    assert (report.status, report.exit_code) == (Status.PARTIAL, 7)
    server.server.rule = None
    again = run(spec(server), output=tmp_path / "run")
    assert again.status is Status.COMPLETE
    assert len(server.server.journal) == 2 * ROWS + 1


def test_a_server_that_dies_stops_the_run_and_loses_nothing(server: ServerThread, tmp_path: Path) -> None:
    server.stop_after(7)
    started = time.monotonic()
    report = run(spec(server, max_retries=100), output=tmp_path)
    assert time.monotonic() - started < 15
    assert (report.status, report.exit_code) == (Status.PARTIAL, 7)
    answered = report.usage.requests - report.usage.failed
    asked_before = len(server.server.journal)
    server.restart()
    assert run(spec(server, max_retries=100), output=tmp_path).status is Status.COMPLETE
    assert len(server.server.journal) - asked_before == 2 * ROWS - answered


def test_a_dead_server_is_found_before_anything_starts(server: ServerThread, tmp_path: Path) -> None:
    server.stop()
    report = run(spec(server), output=tmp_path)
    assert (report.status, report.exit_code) == (Status.FAILED, 4)
    assert values(report) == {"sums": (None, 0, ROWS), "words": (None, 0, ROWS)}


def test_a_dead_server_does_not_take_away_what_was_scored(server: ServerThread, tmp_path: Path) -> None:
    server.server.rule = lambda body: Fault(status=400 if body["messages"][0]["content"] == "sums 3" else 200)
    before = run(spec(server), output=tmp_path)
    server.stop()
    after = run(spec(server), output=tmp_path)
    assert values(after) == values(before)
    assert (after.status, after.exit_code) == (Status.PARTIAL, 4)


def test_a_job_that_falls_over_is_a_failed_backend(server: ServerThread, tmp_path: Path) -> None:
    report = run(spec(server, options={"fake": {"crash": True}}), output=tmp_path)
    assert (report.status, report.exit_code) == (Status.FAILED, 5)
    assert "exit code 3" in next(e.message for e in report.errors if e.kind is ErrorKind.BACKEND)


def test_the_time_limit_of_a_job_is_kept(server: ServerThread, tmp_path: Path) -> None:
    limited = spec(server, options={"fake": {"pause_s": 0.5}}, job_timeout_s=4)
    started = time.monotonic()
    report = run(limited, output=tmp_path)
    assert time.monotonic() - started < 30
    assert report.status is Status.PARTIAL
    assert "job_timeout_s = 4" in " ".join(error.message for error in report.errors)


def test_an_interrupt_leaves_a_report_and_a_run_that_goes_on(server: ServerThread, tmp_path: Path) -> None:
    slow = spec(server, options={"fake": {"pause_s": 0.2}})
    interrupt = threading.Timer(3.0, os.kill, (os.getpid(), signal.SIGINT))
    interrupt.start()
    try:
        report = run(slow, output=tmp_path)
    finally:
        interrupt.cancel()
    assert report.exit_code == 130
    asked = len(server.server.journal)
    assert 0 < asked < 2 * ROWS
    assert run(slow, output=tmp_path).status is Status.COMPLETE
    assert len(server.server.journal) == 2 * ROWS


def test_another_spec_is_refused_and_the_run_stays(server: ServerThread, tmp_path: Path) -> None:
    run(spec(server), output=tmp_path)
    before = (tmp_path / "report.json").read_bytes()
    with pytest.raises(SpecError, match="another spec"):
        run(spec(server, datasets=["sums"]), output=tmp_path)
    assert (tmp_path / "report.json").read_bytes() == before


def test_a_folder_with_other_files_is_refused(server: ServerThread, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(SpecError, match="holds files but no run"):
        run(spec(server), output=tmp_path)


def test_two_bridges_do_not_share_a_run_directory(server: ServerThread, tmp_path: Path) -> None:
    with RunDir(tmp_path).locked(), pytest.raises(OutputError, match="another bridge"):
        run(spec(server), output=tmp_path)


def test_a_report_is_made_again_from_what_is_there(server: ServerThread, tmp_path: Path) -> None:
    first = run(spec(server), output=tmp_path)
    for name in ("report.json", "report.md", "report.html"):
        (tmp_path / name).unlink()
    server.stop()
    again = remake_report(tmp_path)
    assert again.results == first.results
    assert again.status is Status.COMPLETE
    assert (tmp_path / "report.html").exists()


def test_a_report_that_is_remade_says_what_the_run_said(server: ServerThread, tmp_path: Path) -> None:
    server.server.rule = lambda body: Fault(status=400 if body["messages"][0]["content"] == "sums 3" else 200)
    first = run(spec(server), output=tmp_path)
    assert [error.message for error in first.errors if "finally failed" in error.message]
    again = remake_report(tmp_path)
    assert again.errors == first.errors
    assert remake_report(tmp_path).errors == first.errors


def test_a_damaged_cache_is_set_aside_told_and_costs_no_more_than_its_answers(
    server: ServerThread, tmp_path: Path
) -> None:
    server.server.rule = lambda body: Fault(status=400 if body["messages"][0]["content"] == "sums 3" else 200)
    run(spec(server), output=tmp_path)
    server.server.rule = None
    requests = RunDir(tmp_path).requests
    requests.write_bytes(b"not a database" * 1000)
    report = run(spec(server), output=tmp_path)
    assert report.status is Status.COMPLETE
    assert any("requests.sqlite" in e.message for e in report.errors if e.kind is ErrorKind.WARNING)
    assert list(tmp_path.glob("requests.sqlite.damaged*"))


def test_several_models_are_columns_of_one_report(server: ServerThread, tmp_path: Path) -> None:
    endpoint = {"base_url": server.server.base_url, "probe": False}
    two = [{"name": name, "endpoint": endpoint} for name in ("base", "org/tuned")]
    report = run(spec(server, model=None, models=two), output=tmp_path)
    assert report.status is Status.COMPLETE
    assert [(r.model, r.dataset) for r in report.results if r.primary] == [
        (model, dataset) for model in ("base", "org/tuned") for dataset in ("sums", "words")
    ]
    assert (tmp_path / "samples" / "org%2Ftuned" / "fake" / "sums.jsonl").exists()


async def test_it_runs_inside_a_running_loop(server: ServerThread, tmp_path: Path) -> None:
    asyncio.get_running_loop()
    assert run(spec(server), output=tmp_path).status is Status.COMPLETE


def test_the_key_and_the_token_are_nowhere_on_disk(
    server: ServerThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_KEY", "sk-canary-1234567890")
    endpoint = {"base_url": server.server.base_url, "api_key_env": "CANARY_KEY"}
    run(spec(server, model={"name": "m", "endpoint": endpoint}), output=tmp_path)
    sent = {asked.headers.get("Authorization", "") for asked in server.server.journal}
    assert sent == {"Bearer sk-canary-1234567890"}
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"sk-canary-1234567890" not in path.read_bytes(), path
