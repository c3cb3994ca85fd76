"""The real process against a real server on the loopback: what is asked, recorded, resumed, and what it ends with."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import orjson
import pytest
from fault_server import OK, Fault, FaultServer

from bridge.endpoint.traffic import usage
from bridge.report.schema import ErrorKind, SampleRecord, Status


def always_b(prompt: str) -> str:
    return "ANSWER: B"


async def test_every_row_is_asked_once_and_scored(native_run, task, mcq) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(50))}, concurrency=8)
    latency = Fault(latency_s=0.01)

    def answer(prompt: str) -> str:
        return "C" if "number 7 " in prompt else "ANSWER: B"

    async with FaultServer(default=latency, answer=answer) as server:
        assert await native_run.run(given, server.base_url) == 0
        assert len(server.journal) == len(set(server.prompts)) == 50
        assert 2 <= server.peak <= 8
        assert server.journal[0].body["max_tokens"] == 2048
    assert native_run.progress() == {
        "done": 50,
        "total": 50,
        "stage": "ask",
        "failed": 0,
        "datasets": {"general_mcq": {"done": 50, "total": 50}},
    }
    (result,) = native_run.collect(given)
    primary, subset = result.rows
    assert (primary.value, primary.n, primary.n_errors, primary.status) == (0.98, 50, 0, Status.COMPLETE)
    assert (subset.subset, subset.value, subset.primary) == ("bank", 0.98, False)
    assert primary.source == "jobs/native/samples/general_mcq.jsonl"
    assert primary.ci95 is not None
    assert result.errors == ()
    samples = list(result.samples)
    assert samples == list(result.samples)
    assert [sample.sample_id for sample in samples] == [str(at) for at in range(50)]
    assert samples[7].extracted == "C"
    assert samples[7].scores == {"accuracy": 0.0}


async def test_a_record_holds_all_that_is_known(native_run, task, mcq) -> None:
    given = task({"name": "general_mcq", "alias": "x", "path": str(mcq(1))})
    async with FaultServer(answer=lambda prompt: "<think>A? No.</think>ANSWER: B") as server:
        assert await native_run.run(given, server.base_url) == 0
        sent = server.journal[0].body["messages"]
    (line,) = native_run.records("x")
    record = SampleRecord.model_validate(line)
    assert record.input == sent
    assert record.response == "<think>A? No.</think>ANSWER: B"
    assert (record.extracted, record.target, record.subset) == ("B", "B", "bank")
    assert (record.finish_reason, record.error, record.dataset) == ("stop", None, "x")
    assert record.usage is not None
    assert record.usage["completion_tokens"] > 0
    assert record.latency_s is not None
    assert record.metadata == {"index": 0, "extraction": "marker", "thinking_chars": 6}
    digest = hashlib.sha256(orjson.dumps(sent, option=orjson.OPT_SORT_KEYS)).hexdigest()
    assert record.prompt_sha256 == digest


@pytest.mark.parametrize(
    ("answer", "validity"), [("", "empty"), ("<think>so", "empty"), ("no idea", "unparsed"), ("ANSWER: C", None)]
)
async def test_answers_that_say_nothing_score_nought_and_are_marked(native_run, task, mcq, answer, validity) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(1))})
    async with FaultServer(answer=lambda prompt: answer) as server:
        assert await native_run.run(given, server.base_url) == 0
    (record,) = native_run.records("general_mcq")
    assert record["scores"] == {"accuracy": 0.0}
    assert record["metadata"].get("validity") == validity


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
async def test_a_signal_stops_it_within_a_second(native_run, task, mcq, number) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(300))}, concurrency=8)
    async with FaultServer(default=Fault(latency_s=0.02), answer=always_b) as server:
        process = await native_run.start(given, server.base_url)
        await native_run.until_done(50, process)
        server.default = Fault(mode="hang")
        await asyncio.sleep(0.1)
        stopped = time.monotonic()
        process.send_signal(number)
        assert await process.wait() == 130
        assert time.monotonic() - stopped < 1.5
        server.default = OK
        assert native_run.state()["status"] == "interrupted"
        (result,) = native_run.collect(given, exit_code=130, stopped="interrupted", reason="stopped by SIGINT")
        assert {error.kind for error in result.errors} == {ErrorKind.UNANSWERED}
        assert result.rows[0].n + result.rows[0].n_errors == 300
        recorded, asked = result.rows[0].n, len(server.journal)
        assert await native_run.run(given, server.base_url) == 0
        assert len(server.journal) == asked + 300 - recorded


async def test_a_broken_row_costs_itself_only(native_run, task, tmp_path: Path) -> None:
    path = tmp_path / "mmlu" / "test" / "virology_test.csv"
    path.parent.mkdir(parents=True)
    path.write_text("One?,1,2,3,4,B\nTwo?,1,2,3,B\nThree?,1,2,3,4,X\nFour?,1,2,3,4,C\n", encoding="utf-8")
    given = task({"name": "mmlu", "path": str(tmp_path / "mmlu"), "num_fewshot": 0})
    async with FaultServer(answer=always_b) as server:
        assert await native_run.run(given, server.base_url) == 7
        assert len(server.journal) == 2
    (result,) = native_run.collect(given, exit_code=7)
    primary = result.rows[0]
    assert (primary.n, primary.n_errors, primary.value, primary.status) == (2, 2, 0.5, Status.PARTIAL)
    data = next(error for error in result.errors if error.kind is ErrorKind.BACKEND)
    assert data.count == 2
    assert f"{path}:2: 5 columns; there are to be 6" in data.message
    assert len(list(result.samples)) == 4


async def test_a_dataset_without_its_files_does_not_stop_the_others(native_run, task, mcq, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    given = task({"name": "general_mcq", "path": str(mcq(5))}, {"name": "gsm8k", "path": str(gone)})
    async with FaultServer(answer=always_b) as server:
        assert await native_run.run(given, server.base_url) == 5
    there, missing = native_run.collect(given, exit_code=5)
    assert (there.rows[0].n, there.errors) == (5, ())
    assert (missing.rows[0].value, missing.rows[0].status, missing.rows[0].primary) == (None, Status.FAILED, True)
    assert f"{gone}: no such file or folder" in (missing.rows[0].reason or "")
    assert missing.errors[0].kind is ErrorKind.BACKEND


async def test_each_repeat_is_asked_on_its_own_and_resumes(native_run, task, mcq) -> None:
    given = task(
        {"name": "general_mcq", "path": str(mcq(10))},
        repeats=3,
        generation={"temperature": 0.7, "seed": 5},
        concurrency=4,
    )
    async with FaultServer(answer=always_b) as server:
        assert await native_run.run(given, server.base_url) == 0
        assert len(server.journal) == 30
        assert sorted(asked.body["seed"] for asked in server.journal) == [5] * 10 + [6] * 10 + [7] * 10
        samples = native_run.folder / "samples" / "general_mcq.jsonl"
        samples.write_bytes(b"".join(samples.read_bytes().splitlines(keepends=True)[:-4]))
        (native_run.folder / "state.json").write_bytes(
            (native_run.folder / "state.json").read_bytes().replace(b'"finished"', b'"running"')
        )
        assert await native_run.run(given, server.base_url) == 0
        assert len(server.journal) == 30
    (result,) = native_run.collect(given)
    assert (result.rows[0].n, result.errors) == (30, ())
    assert [(sample.sample_id, sample.repeat) for sample in result.samples] == [
        (str(at), repeat) for at in range(10) for repeat in range(3)
    ]


async def test_slow_scorers_hold_up_no_request(native_run, task, tmp_path: Path, write_jsonl) -> None:
    problems = [{"question": f"What is {at}?", "answer": f"#### {at}"} for at in range(30)]
    write_jsonl(tmp_path / "gsm8k" / "test.jsonl", problems)
    given = task(
        {"name": "gsm8k", "path": str(tmp_path / "gsm8k"), "num_fewshot": 0},
        concurrency=4,
        options={"native": {"score_workers": 1, "score_timeout_s": 2}},
    )

    def answer(prompt: str) -> str:
        at = int(prompt.split()[2].rstrip("?"))
        return "\\boxed{9^{9^{9^{9}}}+x}" if at == 3 else f"\\boxed{{\\frac{{{at * 2}}}{{2}}}}"

    async with FaultServer(answer=answer) as server:
        assert await native_run.run(given, server.base_url) == 7
        assert len(server.journal) == 30
        span = server.journal[-1].at - server.journal[0].at
    assert span < 1.5, "requests waited for the scorer"
    (result,) = native_run.collect(given, exit_code=7)
    primary = result.rows[0]
    assert (primary.n, primary.n_errors, primary.value) == (29, 1, 1.0)
    (error,) = result.errors
    assert (error.kind, error.count) == (ErrorKind.BACKEND, 1)
    assert "scoring took more than 2 s" in error.message
    assert list(result.samples)[3].response == "\\boxed{9^{9^{9^{9}}}+x}"


async def test_free_text_is_scored_by_all_its_metrics(native_run, task, tmp_path: Path, write_jsonl) -> None:
    rows = [{"id": f"q{at}", "question": f"Say {at}", "answer": f"number {at}"} for at in range(6)]
    write_jsonl(tmp_path / "qa" / "faq.jsonl", rows)
    given = task({"name": "general_qa", "path": str(tmp_path / "qa")})
    async with FaultServer(answer=lambda prompt: prompt.replace("Say", "Number")) as server:
        assert await native_run.run(given, server.base_url) == 0
        assert server.prompts[0].startswith("Say")
    (result,) = native_run.collect(given)
    overall = {row.metric: row.value for row in result.rows if row.subset is None}
    assert overall["rouge_l"] == overall["rouge_1"] == overall["exact_match"] == 1.0
    assert set(overall) == {"rouge_l", "rouge_1", "rouge_2", "bleu", "exact_match"}
    assert next(row for row in result.rows if row.primary).metric == "rouge_l"
    assert [sample.sample_id for sample in result.samples] == [f"q{at}" for at in range(6)]


async def test_mmlu_has_micro_macro_categories_and_subjects(native_run, task, rows) -> None:
    subjects = ["anatomy", "virology", "world_religions"]
    given = task({"name": "mmlu", "path": str(rows("mmlu")), "subsets": subjects}, limit=4, concurrency=8)
    async with FaultServer() as server:
        assert await native_run.run(given, server.base_url) == 0
        assert all(prompt.count("ANSWER: ") == 6 for prompt in server.prompts)
    (result,) = native_run.collect(given)
    found = {(row.category, row.subset, row.metric): row for row in result.rows}
    assert found[(None, None, "accuracy")].primary
    assert (None, None, "accuracy_macro") in found
    assert {category for category, subset, _ in found if subset is None} == {None, "Other", "STEM", "Humanities"}
    assert {subset for _, subset, _ in found if subset} == set(subjects)
    assert sum(row.primary for row in result.rows) == 1


async def test_ids_that_are_there_twice_are_mentioned(native_run, task, tmp_path: Path, write_jsonl) -> None:
    row = {"id": "same", "question": "?", "A": "x", "B": "y", "answer": "B"}
    write_jsonl(tmp_path / "q" / "bank_val.jsonl", [row, {**row, "question": "??"}])
    given = task({"name": "general_mcq", "path": str(tmp_path / "q")})
    async with FaultServer(answer=always_b) as server:
        assert await native_run.run(given, server.base_url) == 0
    (result,) = native_run.collect(given)
    assert result.rows[0].n == 2
    assert [(error.kind, error.count) for error in result.errors] == [(ErrorKind.WARNING, 1)]


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


async def test_it_needs_a_job_and_an_address(native_run, task, mcq) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(1))})
    native_run.prepare(given, "http://127.0.0.1:9/v1")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bridge.native",
        cwd=native_run.folder,
        env={**os.environ},
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await process.communicate()
    assert process.returncode == 2
    assert stderr.startswith(b"usage: ")
