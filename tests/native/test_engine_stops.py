"""What stops the engine, and how it goes on: kills, signals, failed requests, a dead server, a full disk."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_server import OK, Fault, FaultServer

from bridge.endpoint.totals import usage
from bridge.report.schema import ErrorKind, Status


def always_b(prompt: str) -> str:
    return "ANSWER: B"


async def test_killed_and_started_again_it_asks_only_what_is_missing(native_run, task, mcq) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(400))}, concurrency=8)
    async with FaultServer(default=Fault(latency_s=0.02), answer=always_b) as server:
        process = await native_run.start(given, server.base_url)
        await native_run.until_done(100, process)
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        (died,) = native_run.collect(given, exit_code=None, reason="killed by signal 9")
        recorded = died.rows[0].n
        assert 100 <= recorded < 400
        assert (died.rows[0].n_errors, died.rows[0].status) == (400 - recorded, Status.PARTIAL)
        assert [(error.kind, error.dataset) for error in died.errors] == [(ErrorKind.BACKEND, "general_mcq")]
        assert "killed by signal 9" in died.errors[0].message
        asked_before = len(server.journal)
        assert await native_run.run(given, server.base_url) == 0
        # Only requests that were on the wire at the kill, and so were never answered, are asked twice.
        assert len(set(server.prompts)) == 400
        assert len(server.journal) <= asked_before + 400 - recorded
        assert len(server.journal) - 400 <= 8
    (whole,) = native_run.collect(given)
    assert (whole.rows[0].n, whole.rows[0].value, whole.errors) == (400, 1.0, ())
    assert len(list(whole.samples)) == 400


async def test_answers_that_were_not_yet_recorded_come_from_the_cache(native_run, task, mcq) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(30))})
    async with FaultServer(answer=always_b) as server:
        assert await native_run.run(given, server.base_url) == 0
        samples = native_run.folder / "samples" / "general_mcq.jsonl"
        samples.write_bytes(b"".join(samples.read_bytes().splitlines(keepends=True)[:10])[:-7])
        (native_run.folder / "state.json").unlink()
        assert await native_run.run(given, server.base_url) == 0
        assert len(server.journal) == 30
    assert usage(native_run.root / "requests.sqlite").cached == 30
    (result,) = native_run.collect(given)
    assert (result.rows[0].n, result.errors) == (30, ())


async def test_a_finished_job_started_again_does_nothing(native_run, task, mcq) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(20))})
    async with FaultServer(answer=always_b) as server:
        assert await native_run.run(given, server.base_url) == 0
        before = (native_run.folder / "samples" / "general_mcq.jsonl").stat()
        assert await native_run.run(given, server.base_url) == 0
        assert len(server.journal) == 20
    assert (native_run.folder / "samples" / "general_mcq.jsonl").stat().st_mtime_ns == before.st_mtime_ns


async def test_changed_data_is_asked_anew(native_run, task, mcq, write_jsonl) -> None:
    folder = mcq(5)
    given = task({"name": "general_mcq", "path": str(folder)})
    async with FaultServer(answer=always_b) as server:
        assert await native_run.run(given, server.base_url) == 0
        row = {"question": "Which is new?", "A": "one", "B": "two", "answer": "A"}
        write_jsonl(folder / "bank_val.jsonl", [row])
        assert await native_run.run(given, server.base_url) == 0
        assert len(server.journal) == 6
    (result,) = native_run.collect(given)
    assert (result.rows[0].n, result.rows[0].value) == (1, 0.0)


async def test_requests_that_fail_are_errors_and_no_scores(native_run, task, mcq) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(40))}, max_retries=1)

    def one_in_ten(body: dict) -> Fault:
        return Fault(status=400, message="cannot") if "number 3" in body["messages"][-1]["content"] else OK

    async with FaultServer(rule=one_in_ten, answer=always_b) as server:
        assert await native_run.run(given, server.base_url) == 7
        (result,) = native_run.collect(given, exit_code=7)
        primary = result.rows[0]
        assert (primary.n, primary.n_errors, primary.value, primary.status) == (29, 11, 1.0, Status.PARTIAL)
        (error,) = result.errors
        assert (error.kind, error.count) == (ErrorKind.UNANSWERED, 11)
        assert "cannot" in error.message
        failed = [sample for sample in result.samples if sample.error]
        assert {(sample.response, tuple(sample.scores)) for sample in failed} == {(None, ())}
        asked = len(server.journal)
        server.rule = None
        assert await native_run.run(given, server.base_url) == 0
        assert len(server.journal) == asked + 11
    (result,) = native_run.collect(given)
    assert (result.rows[0].n, result.rows[0].n_errors, result.errors) == (40, 0, ())


async def test_errors_that_pass_leave_no_trace_in_the_score(native_run, task, mcq) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(200))}, concurrency=16)
    async with FaultServer(answer=always_b) as server:
        server.script(*[Fault(status=500) if at % 20 == 0 else OK for at in range(200)])
        assert await native_run.run(given, server.base_url) == 0
        assert len(server.journal) == 210
    (result,) = native_run.collect(given)
    assert (result.rows[0].n, result.rows[0].value, result.errors) == (200, 1.0, ())
    assert usage(native_run.root / "requests.sqlite").retried == 10


async def test_a_server_that_dies_half_way_stops_the_job_in_seconds(native_run, task, mcq) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(300))}, concurrency=8)
    async with FaultServer(default=Fault(latency_s=0.02), answer=always_b) as server:
        process = await native_run.start(given, server.base_url)
        await native_run.until_done(100, process)
        await server.stop()
        died = time.monotonic()
        assert await asyncio.wait_for(process.wait(), 15) == 7
        assert time.monotonic() - died < 15
        assert native_run.state()["status"] == "endpoint"
        (result,) = native_run.collect(given, exit_code=7)
        n = result.rows[0].n
        assert (result.rows[0].n_errors, result.rows[0].value, result.rows[0].status) == (300 - n, 1.0, Status.PARTIAL)
        assert {error.kind for error in result.errors} == {ErrorKind.UNANSWERED}
        assert sum(error.count for error in result.errors) == 300 - n
        assert len(list(result.samples)) == 300
        await server.restart()
        asked = len(server.journal)
        assert await native_run.run(given, server.base_url) == 0
        assert len(server.journal) == asked + 300 - n
    (result,) = native_run.collect(given)
    assert (result.rows[0].n, result.errors) == (300, ())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it_although_the_server_hangs(native_run, task, mcq, number) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(300))}, concurrency=8)
    async with FaultServer(default=Fault(latency_s=0.02), answer=always_b) as server:
        process = await native_run.start(given, server.base_url)
        await native_run.until_done(50, process)
        server.default = Fault(mode="hang")
        await asyncio.sleep(0.1)
        stopped = time.monotonic()
        process.send_signal(number)
        assert await process.wait() == 130
        assert time.monotonic() - stopped < 10
        server.default = OK
        assert native_run.state()["status"] == "interrupted"
        (result,) = native_run.collect(given, exit_code=130, stopped="interrupted", reason="stopped by SIGINT")
        assert {error.kind for error in result.errors} == {ErrorKind.UNANSWERED}
        assert result.rows[0].n + result.rows[0].n_errors == 300
        recorded, asked = result.rows[0].n, len(server.journal)
        assert await native_run.run(given, server.base_url) == 0
        assert len(server.journal) == asked + 300 - recorded


async def test_a_kill_leaves_no_scoring_process_behind(native_run, task, tmp_path: Path, write_jsonl) -> None:
    problems = [{"question": f"What is {at}?", "answer": f"#### {at}"} for at in range(4)]
    write_jsonl(tmp_path / "gsm8k" / "test.jsonl", problems)
    options = {"native": {"score_workers": 2, "score_timeout_s": 2}}
    given = task({"name": "gsm8k", "path": str(tmp_path / "gsm8k"), "num_fewshot": 0}, options=options)
    async with FaultServer(answer=lambda prompt: "\\boxed{9^{9^{9^{9}}}+x}") as server:
        process = await native_run.start(given, server.base_url)
        await eventually(lambda: len(processes_in(native_run.folder)) == 3, 15)
        process.kill()
        await process.wait()
        await eventually(lambda: processes_in(native_run.folder) == [], 15)


def processes_in(folder: Path) -> list[str]:
    """Processes that work in the job's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink() == folder:
                found.append(process.name)
    return found


async def eventually(is_so: Callable[[], bool], within_s: float) -> None:
    until = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < until
        await asyncio.sleep(0.05)


async def test_a_full_disk_is_one_line_and_what_was_written_stays(native_run, task, mcq) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(300))}, concurrency=4)
    async with FaultServer(answer=always_b) as server:
        full = ("prlimit", "--fsize=65536")
        if shutil.which("prlimit") is None:
            pytest.skip("needs prlimit to play a full disk")
        process = await native_run.start(given, server.base_url, *full)
        assert await process.wait() in (5, 6)
        (line,) = (native_run.root / "log.txt").read_text().splitlines()
        assert "run the same command again" in line
        (result,) = native_run.collect(given, exit_code=5, reason="ended with exit code 5")
        recorded = result.rows[0].n
        assert 0 < recorded < 300
        assert result.rows[0].n_errors == 300 - recorded
        assert result.errors[0].kind is ErrorKind.BACKEND
        assert await native_run.run(given, server.base_url) == 0
        # What was under way could not be written down: four requests, and two that waited for their place.
        assert len(server.prompts) - 300 <= 6
    (result,) = native_run.collect(given)
    assert (result.rows[0].n, result.errors) == (300, ())


async def test_a_job_that_never_ran_is_no_result(native_run, task, mcq) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(20))})
    (result,) = native_run.collect(given, exit_code=None, reason="the environment could not be made")
    (row,) = result.rows
    assert (row.value, row.status, row.primary) == (None, Status.FAILED, True)
    assert row.reason == "the environment could not be made"
    assert list(result.samples) == []
