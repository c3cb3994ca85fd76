"""The three stages against a server: every text beside its own task, and nothing asked twice."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fault_server import Fault, FaultServer
from job_runner import run_job, started

from bridge.adapters.longbench_write.backend import LongBenchWriteBackend
from bridge.backend import BenchmarkResult, Job, Outcome, Task
from bridge.report.schema import ResultRow, SampleRecord, Status

MakeTask = Callable[..., Task]
JobOf = Callable[..., Job]
RunHere = Callable[[Job, Path], Awaitable[Outcome]]


def collected(outcome: Outcome, task: Task) -> BenchmarkResult:
    (result,) = LongBenchWriteBackend().collect(outcome, task)
    return result


def row(result: BenchmarkResult, metric: str, category: str | None = None) -> ResultRow:
    (found,) = [row for row in result.rows if (row.metric, row.category) == (metric, category)]
    return found


def records(result: BenchmarkResult) -> list[SampleRecord]:
    return list(result.samples)


def prompt_in(record: SampleRecord) -> str:
    assert isinstance(record.input, list)
    return str(record.input[0]["content"])


async def test_120_prompts_16_workers_a_jittered_server(
    model: FaultServer, judge: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    """The same where EvalScope pairs 5 of 120 rightly: every answer says what it was asked."""
    model.answer = lambda prompt: f"This is my text. It was asked for as: {prompt}"
    model.default, model.jitter = Fault(latency_s=0.02), True
    judge.default, judge.jitter = Fault(latency_s=0.01), True
    task = make_task(n=120, concurrency=16)
    outcome = await run_here(job_of(task, model.base_url, judge.base_url), tmp_path / "job")
    result = collected(outcome, task)

    assert model.peak == 16
    finished = [json.loads(line)["id"] for line in (outcome.dir / "answers.jsonl").read_bytes().splitlines()]
    assert finished != sorted(finished, key=int), "the answers did come in another order than the tasks"
    seen = records(result)
    assert len(seen) == 120
    assert [record.sample_id for record in seen] == [str(at) for at in range(120)]
    paired = [record for record in seen if record.response and record.response.endswith(prompt_in(record))]
    assert len(paired) == 120
    assert all(prompt_in(record) in asked for record, asked in zip(seen, _judge_prompts(judge, seen), strict=True))
    assert row(result, "overall").n == 120
    assert result.errors == ()


def _judge_prompts(judge: FaultServer, seen: list[SampleRecord]) -> list[str]:
    """For each record the judge's prompt with its response in it."""
    return [next(p for p in judge.prompts if f"<Response>\n\n{record.response}\n" in p) for record in seen]


async def test_scores_follow_from_what_was_written(
    model: FaultServer, judge: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    model.answer = lambda prompt: "<think>hm hm</think>" + "word " * 300
    task = make_task()
    result = collected(await run_here(job_of(task, model.base_url, judge.base_url), tmp_path / "job"), task)

    first = records(result)[0]
    assert first.metadata["required_words"] == 100
    assert first.metadata["written_words"] == 300
    assert first.scores["length_score"] == pytest.approx(100 / 3)
    assert first.scores["quality_score"] == pytest.approx(62.5)
    assert first.scores["overall"] == pytest.approx((100 / 3 + 62.5) / 2)
    assert first.response is not None and first.response.startswith("<think>")
    # 100, 600, 2500 and 5000 words are asked for, three times each.
    lengths = [100 / 3, 50.0, 0.0, 0.0]
    assert row(result, "length_score").value == pytest.approx(sum(lengths) / 4)
    assert row(result, "quality_score").value == pytest.approx(62.5)
    assert row(result, "quality_clarity").value == pytest.approx(50)
    assert row(result, "overall").value == pytest.approx((sum(lengths) / 4 + 62.5) / 2)
    assert row(result, "overall").primary
    assert sum(found.primary for found in result.rows) == 1
    assert row(result, "length_score", "length 500 to 1999").value == pytest.approx(50)
    assert row(result, "length_score", "type News Report").n == 4
    assert row(result, "overall", "language zh").n == 3
    assert "This is" not in judge.prompts[0] and "hm hm" not in judge.prompts[0]


async def test_requests_are_as_the_spec_says(
    model: FaultServer, judge: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    task = make_task(
        generation={"temperature": 0.5, "seed": 7, "extra_body": {"repetition_penalty": 1.0}},
        repeats=2,
        limit=3,
        options={"longbench_write": {"judge": {"temperature": 0.1, "max_tokens": 99}}},
    )
    outcome = await run_here(job_of(task, model.base_url, judge.base_url), tmp_path / "job")
    bodies = [asked.body for asked in model.journal]
    assert len(bodies) == 6
    assert Counter(body["seed"] for body in bodies) == {7: 3, 8: 3}
    assert {body["max_tokens"] for body in bodies} == {32768}
    assert {body["repetition_penalty"] for body in bodies} == {1.0}
    assert {asked.headers["Authorization"] for asked in model.journal} == {"Bearer model-token"}
    assert {asked.headers["Authorization"] for asked in judge.journal} == {"Bearer judge-token"}
    assert {(asked.body["model"], asked.body["temperature"], asked.body["max_tokens"]) for asked in judge.journal} == {
        ("judge-model", 0.1, 99)
    }
    result = collected(outcome, task)
    assert [(record.sample_id, record.repeat) for record in records(result)] == [
        (sample_id, repeat) for sample_id in "012" for repeat in (0, 1)
    ]
    assert row(result, "overall").n == 6
    assert row(result, "overall").settings["limit"] == 3


async def test_finished_work_is_not_done_again(
    model: FaultServer, judge: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    task = make_task()
    job = job_of(task, model.base_url, judge.base_url)
    first = collected(await run_here(job, tmp_path / "job"), task)
    assert (len(model.journal), len(judge.journal)) == (12, 12)
    again = collected(await run_here(job, tmp_path / "job"), task)
    assert (len(model.journal), len(judge.journal)) == (12, 12)
    assert again.rows == first.rows
    assert records(again) == records(first)


async def test_killed_in_the_middle_and_run_again(
    model: FaultServer, judge: FaultServer, make_task: MakeTask, job_of: JobOf, tmp_path: Path
) -> None:
    """A real process, killed while it writes and again while it judges: in the end each was asked once."""
    model.default = judge.default = Fault(latency_s=0.05)
    task = make_task(n=24, concurrency=2)
    job, folder = job_of(task, model.base_url, judge.base_url), tmp_path / "job"
    async with started(job, folder):
        await _until(lambda: len(model.journal) >= 7)
    answered = len((folder / "answers.jsonl").read_bytes().splitlines())
    assert 3 <= answered < 24
    with (folder / "answers.jsonl").open("ab") as file:
        file.write(b'{"id": "23", "repeat": 0, "request_sha256": "to')
    async with started(job, folder):
        await _until(lambda: len(judge.journal) >= 7)
    lost = len(model.journal) - 24
    assert 0 <= lost <= 2, "only what was in flight when it was killed is asked again"
    judged = len((folder / "judgments.jsonl").read_bytes().splitlines())

    result = collected(await run_job(job, folder), task)
    assert len(model.journal) == 24 + lost
    assert len(judge.journal) <= 24 + 2
    assert judged >= 3
    assert (row(result, "overall").n, row(result, "overall").n_errors) == (24, 0)
    assert row(result, "overall").status is Status.COMPLETE


async def test_a_journal_of_other_rows_is_not_believed(
    model: FaultServer,
    judge: FaultServer,
    make_task: MakeTask,
    job_of: JobOf,
    run_here: RunHere,
    write_rows: Callable[[int], Path],
    tmp_path: Path,
) -> None:
    """The file was changed between two runs: what was answered to other words is not put beside the new ones."""
    model.answer = lambda prompt: f"About: {prompt}"
    task = make_task()
    job = job_of(task, model.base_url, judge.base_url)
    await run_here(job, tmp_path / "job")
    path = write_rows(12)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([lines[1], lines[0], *lines[2:]]), encoding="utf-8")
    result = collected(await run_here(job, tmp_path / "job"), task)
    assert len(model.journal) == 14
    assert all(record.response == f"About: {prompt_in(record)}" for record in records(result))


async def test_requests_that_fail_are_counted_and_tried_again(
    model: FaultServer, judge: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    model.rule = lambda body: Fault(status=500, message="no") if "number 2." in str(body) else Fault()
    task = make_task()
    job = job_of(task, model.base_url, judge.base_url)
    result = collected(await run_here(job, tmp_path / "job"), task)
    overall = row(result, "overall")
    assert (overall.n, overall.n_errors, overall.status) == (11, 1, Status.PARTIAL)
    assert overall.reason == "1 of 12 samples were not scored; first: HTTP 500: no"
    failed = records(result)[2]
    assert (failed.response, failed.scores, failed.error) == (None, {}, "HTTP 500: no")
    assert len(judge.journal) == 11

    model.rule = None
    healed = collected(await run_here(job, tmp_path / "job"), task)
    assert (row(healed, "overall").n, row(healed, "overall").n_errors) == (12, 0)
    assert (len(model.journal), len(judge.journal)) == (13, 12)


@pytest.mark.parametrize(
    ("fault", "nonsense", "said"),
    [
        (Fault(status=503, message="overloaded"), "", "HTTP 503: overloaded"),
        (Fault(), "Quite good!", "could not be read in 2 attempts, last: there is no JSON object in it"),
        (Fault(), '{"Relevance": 9}', "could not be read in 2 attempts, last: 'Relevance' is 9, not a whole number"),
        (Fault(mode="reset"), "", "no connection"),
    ],
)
async def test_a_judge_that_is_down_or_talks_nonsense_costs_the_quality_only(
    model: FaultServer,
    judge: FaultServer,
    make_task: MakeTask,
    job_of: JobOf,
    run_here: RunHere,
    tmp_path: Path,
    fault: Fault,
    nonsense: str,
    said: str,
) -> None:
    good = judge.answer
    judge.default = fault
    judge.answer = lambda prompt: nonsense
    task = make_task(options={"longbench_write": {"judge": {"attempts": 2}}})
    job = job_of(task, model.base_url, judge.base_url)
    result = collected(await run_here(job, tmp_path / "job"), task)

    assert (row(result, "length_score").n, row(result, "length_score").status) == (12, Status.COMPLETE)
    for metric in ("quality_score", "quality_relevance", "overall"):
        lost = row(result, metric)
        assert (lost.value, lost.n, lost.n_errors, lost.status) == (None, 0, 12, Status.FAILED)
        assert said in (lost.reason or "")
    assert set(records(result)[0].scores) == {"length_score"}
    assert said in (records(result)[0].error or "")

    judge.default, judge.answer = Fault(), good
    healed = collected(await run_here(job, tmp_path / "job"), task)
    assert (row(healed, "quality_score").n, row(healed, "quality_score").n_errors) == (12, 0)
    assert len(model.journal) == 12, "the texts are not written again for the judge's sake"


async def test_a_judge_that_is_slow_is_waited_for(
    model: FaultServer, judge: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    judge.default = Fault(latency_s=0.6)
    task = make_task(n=4)
    result = collected(await run_here(job_of(task, model.base_url, judge.base_url), tmp_path / "job"), task)
    assert (row(result, "quality_score").n, judge.peak) == (4, 4)


async def test_a_judge_that_is_corrected_is_believed(
    model: FaultServer, judge: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    good = judge.answer("")
    judge.answer = lambda prompt: good if prompt.startswith("Your answer cannot be used") else "Fine."
    task = make_task(n=4)
    result = collected(await run_here(job_of(task, model.base_url, judge.base_url), tmp_path / "job"), task)
    assert row(result, "quality_score").value == pytest.approx(62.5)
    assert [record.metadata["judge_attempts"] for record in records(result)] == [2] * 4


async def test_without_a_judge_there_is_a_length_and_a_reason(
    model: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    task = make_task(judge=False)
    result = collected(await run_here(job_of(task, model.base_url), tmp_path / "job"), task)
    assert row(result, "length_score").primary
    assert row(result, "length_score").status is Status.COMPLETE
    for metric in ("quality_score", "overall"):
        assert (row(result, metric).value, row(result, metric).primary) == (None, False)
        assert "the spec names no judge" in (row(result, metric).reason or "")
    assert all(record.error is None for record in records(result))


async def test_a_prompt_of_the_users_own(
    model: FaultServer, judge: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("Task: $INST$ Text: $RESPONSE$ Marks!", encoding="utf-8")
    model.answer = lambda prompt: "Here you are."
    task = make_task(n=1, options={"longbench_write": {"judge_prompt": str(tmp_path / "mine.txt")}})
    result = collected(await run_here(job_of(task, model.base_url, judge.base_url), tmp_path / "job"), task)
    assert judge.prompts == ["Task: Write about thing number 0. Text: Here you are. Marks!"]
    assert row(result, "overall").settings["judge"]["prompt"] == "mine.txt"


async def test_texts_of_hundreds_of_kilobytes(
    model: FaultServer, judge: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    model.answer = lambda prompt: "字 word\n" * 60_000
    task = make_task(n=4)
    result = collected(await run_here(job_of(task, model.base_url, judge.base_url), tmp_path / "job"), task)
    assert [record.metadata["written_words"] for record in records(result)] == [120_000] * 4
    assert all(record.response == "字 word\n" * 60_000 for record in records(result))
    assert row(result, "overall").n == 4


async def test_a_job_that_cannot_begin_says_why(make_task: MakeTask, job_of: JobOf, tmp_path: Path) -> None:
    task = make_task(n=2)
    job = job_of(task, "http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1")
    data = Path(json.loads(job.files["job.json"])["path"])
    data.write_text('{"prompt": "x"}\n', encoding="utf-8")
    outcome = await run_job(job, tmp_path / "job")
    assert outcome.exit_code == 1
    result = collected(outcome, task)
    (only,) = result.rows
    assert (only.primary, only.value, only.status) == (True, None, Status.FAILED)
    assert f"{data}:1: has no 'length'" in (only.reason or "")
    (error,) = result.errors
    assert f"{data}:1: has no 'length'" in error.message


async def test_stopped_before_the_end_is_unfinished(
    model: FaultServer, judge: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    task = make_task()
    outcome = await run_here(job_of(task, model.base_url, judge.base_url), tmp_path / "job")
    answers = outcome.dir / "answers.jsonl"
    answers.write_bytes(b"".join(answers.read_bytes().splitlines(keepends=True)[:5]))
    stopped = outcome.model_copy(update={"exit_code": None, "stopped": "interrupted", "reason": "stopped by SIGINT"})
    result = collected(stopped, task)
    assert (row(result, "overall").n, row(result, "overall").n_errors) == (5, 7)
    assert "not asked: stopped by SIGINT" in (row(result, "overall").reason or "")
    assert result.errors == ()


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.005)
