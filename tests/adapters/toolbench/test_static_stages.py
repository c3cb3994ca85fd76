"""ToolBench-Static against a server: asked, scored, collected, gone on with."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fault_server import Fault, FaultServer
from job_runner import outcome_of, prepare, run_job, started
from toolbench_files import GIVE_UP, Json, finished, react, static_row

from bridge.adapters.asking.model import Model
from bridge.adapters.toolbench import static_stages
from bridge.adapters.toolbench.backend import ToolBenchBackend
from bridge.adapters.toolbench.settings import AnyJob, StaticJob
from bridge.backend import BenchmarkResult, Job, Outcome, Task
from bridge.report.schema import ResultRow, SampleRecord, Status

MakeTask = Callable[..., Task]
JobOf = Callable[..., Job]
RunHere = Callable[[Job, Path], Awaitable[Outcome]]
OSLO = react("weather_for_skies", {"city": "Oslo"})


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch) -> RunHere:
    """Runs a job in this process, which starts sooner than one of its own."""

    async def run(job: Job, folder: Path) -> Outcome:
        prepare(job, folder)
        monkeypatch.chdir(folder)
        described = AnyJob.model_validate_json(job.files["job.json"]).job
        assert isinstance(described, StaticJob)
        asks = static_stages.prepared(described)
        async with Model(job.env["BRIDGE_MODEL_URL"], job.env["BRIDGE_MODEL_KEY"]) as model:
            await static_stages.run(described, asks, model)
        return outcome_of(job, folder, 0)

    return run


def collected(outcome: Outcome, task: Task) -> BenchmarkResult:
    (result,) = ToolBenchBackend().collect(outcome, task)
    return result


def row(result: BenchmarkResult, metric: str, subset: str | None = None) -> ResultRow:
    (found,) = [row for row in result.rows if (row.metric, row.subset) == (metric, subset)]
    return found


def records(result: BenchmarkResult) -> list[SampleRecord]:
    return list(result.samples)


def counts(result: BenchmarkResult, metric: str) -> tuple[float | None, int, int]:
    found = row(result, metric)
    return found.value, found.n, found.n_errors


async def test_scores_and_their_n(
    server: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    """Every question is answered with the same call: right once, half right once, wrong elsewhere."""
    server.answer = lambda prompt: f"<think>Action: spott</think>{OSLO}"
    task = make_task()
    result = collected(await run_here(job_of(task, server.base_url), tmp_path / "job"), task)
    assert len(server.journal) == 6, "rows that say nothing about a model are not asked"
    assert counts(result, "plan_em") == (4 / 6, 6, 0)
    assert counts(result, "act_em") == (2 / 4, 4, 0)
    assert counts(result, "act_em_args") == (1 / 4, 4, 0)
    assert counts(result, "f1") == ((1 + 0 + 0.5 + 0) / 4, 4, 0)
    assert counts(result, "f1_easy") == (0, 1, 0)
    assert counts(result, "f1_hard") == ((1 + 0.5 + 0) / 3, 3, 0)
    assert counts(result, "rouge_l") == (0, 1, 0)
    assert counts(result, "hallu_rate") == (0, 6, 0)
    assert [found.metric for found in result.rows if found.primary] == ["f1"]
    assert row(result, "f1", "in_domain").n == 2
    assert row(result, "f1").settings["left_out"] == {
        "the reference calls a tool that is not offered": 1,
        "the reference calls an invalid name": 1,
    }
    assert row(result, "hallu_rate").higher_is_better is False
    first = records(result)[0]
    assert first.extracted == {"plan": "call", "action": "weather_for_skies", "arguments": '{"city": "Oslo"}'}
    assert first.response is not None and first.response.startswith("<think>")
    assert [(record.subset, record.sample_id) for record in records(result)] == [
        *(("in_domain", str(at)) for at in range(4)),
        ("out_of_domain", "0"),
        ("out_of_domain", "2"),
    ]


async def test_a_perfect_model(
    server: FaultServer,
    make_task: MakeTask,
    job_of: JobOf,
    run_here: RunHere,
    static_rows: dict[str, list[Json]],
    tmp_path: Path,
) -> None:
    rows = [row for rows in static_rows.values() for row in rows]
    server.answer = lambda prompt: next(row["target"] for row in rows if _last(row) == prompt)
    task = make_task(limit=3)
    result = collected(await run_here(job_of(task, server.base_url), tmp_path / "job"), task)
    for metric in ("plan_em", "act_em", "act_em_args", "f1", "rouge_l"):
        assert row(result, metric).value == 1
    assert row(result, "hallu_rate").value == 0
    assert row(result, "f1").settings["limit"] == 3


def _last(row: Json) -> str:
    return str(row["messages"][-1]["content"])


async def test_every_answer_beside_its_own_question(
    server: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, static_folder: Path, tmp_path: Path
) -> None:
    """120 steps, 16 workers, a jittered server; both subsets number their rows from 0."""
    for subset in ("in_domain", "out_of_domain"):
        rows = [static_row(f"{subset} query {at}", OSLO) for at in range(60)]
        (static_folder / f"{subset}.json").write_text(json.dumps(rows), encoding="utf-8")
    server.default, server.jitter = Fault(latency_s=0.02), True
    server.answer = lambda prompt: react("weather_for_skies", {"city": prompt})
    task = make_task(concurrency=16)
    result = collected(await run_here(job_of(task, server.base_url), tmp_path / "job"), task)
    assert server.peak == 16
    seen = records(result)
    assert len(seen) == 120
    for record in seen:
        asked = f"{record.subset} query {record.sample_id}"
        assert isinstance(record.input, list) and record.input[-1]["content"] == asked
        assert record.extracted["arguments"] == json.dumps({"city": asked})


async def test_evalscopes_numbers(
    server: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    server.answer = lambda prompt: OSLO if "Query 0" in prompt else ": " if "Query 1" in prompt else GIVE_UP
    task = make_task(options={"compat": "evalscope"})
    result = collected(await run_here(job_of(task, server.base_url), tmp_path / "job"), task)
    assert len(server.journal) == 8
    # Kept: rows 0 to 3 and, since the prediction gives up, all but the invalid name; its share is over all eight.
    assert counts(result, "plan_em") == (pytest.approx(3 / 7), 7, 0)
    assert counts(result, "hallu_rate") == (0, 8, 0)
    assert counts(result, "act_em") == (pytest.approx(1 / 5), 5, 0)
    assert row(result, "act_em_args").value is None
    assert "does not compare arguments" in (row(result, "act_em_args").reason or "")
    assert row(result, "f1").settings["compat"] == "evalscope"

    native = make_task(options={"compat": "evalscope_native"})
    result = collected(await run_here(job_of(native, server.base_url), tmp_path / "native"), native)
    assert counts(result, "hallu_rate") == (0, 7, 0)


async def test_failures_are_counted_where_they_belong_and_tried_again(
    server: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    server.answer = lambda prompt: OSLO
    server.rule = lambda body: Fault(status=500, message="no") if "Query 1" in str(body) else Fault()
    task = make_task()
    job = job_of(task, server.base_url)
    result = collected(await run_here(job, tmp_path / "job"), task)
    assert counts(result, "f1") == (pytest.approx(1.5 / 3), 3, 1)
    assert counts(result, "f1_easy") == (None, 0, 1)
    assert counts(result, "f1_hard") == (pytest.approx(0.5), 3, 0)
    assert counts(result, "rouge_l") == (0, 1, 0)
    assert counts(result, "hallu_rate") == (0, 5, 1)
    assert row(result, "f1").status is Status.PARTIAL
    failed = records(result)[1]
    assert (failed.response, failed.scores, failed.error) == (None, {}, "HTTP 500: no")

    server.rule = None
    healed = collected(await run_here(job, tmp_path / "job"), task)
    assert counts(healed, "f1")[1:] == (4, 0)
    assert len(server.journal) == 7


async def test_killed_in_the_middle_and_run_again(
    server: FaultServer, make_task: MakeTask, job_of: JobOf, static_folder: Path, tmp_path: Path
) -> None:
    rows = [static_row(f"query {at}", OSLO) for at in range(24)]
    (static_folder / "in_domain.json").write_text(json.dumps(rows), encoding="utf-8")
    (static_folder / "out_of_domain.json").unlink()
    server.default = Fault(latency_s=0.05)
    task = make_task(concurrency=2)
    job, folder = job_of(task, server.base_url), tmp_path / "job"
    async with started(job, folder):
        await server_has(server, 7)
    with (folder / "answers.jsonl").open("ab") as file:
        file.write(b'{"id": "in_domain/23", "repeat": 0, "req')
    result = collected(await run_job(job, folder), task)
    assert 24 <= len(server.journal) <= 26, "only what was in flight is asked again"
    assert counts(result, "plan_em")[1:] == (24, 0)


async def server_has(server: FaultServer, requests: int) -> None:
    import asyncio

    async with asyncio.timeout(30):
        while len(server.journal) < requests:
            await asyncio.sleep(0.005)


async def test_native_calls(make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path) -> None:
    asked: list[Json] = []

    def answer(body: Json) -> Json:
        asked.append(body)
        if "Query 2" in str(body):
            return _call("Finish", {"return_type": "give_answer", "final_answer": "It is cold in Oslo."})
        if "Query 3" in str(body):
            return {"role": "assistant", "content": "I do not know."}
        return _call("weather_for_skies", {"city": "Oslo"})

    task = make_task(options={"style": "tools"}, generation={"temperature": 0.0, "max_tokens": 77})
    async with native_server(answer) as url:
        result = collected(await run_here(job_of(task, url), tmp_path / "job"), task)
    assert counts(result, "plan_em") == (pytest.approx(5 / 6), 6, 0)
    assert counts(result, "rouge_l") == (1, 1, 0)
    assert counts(result, "act_em") == (pytest.approx(2 / 4), 4, 0)
    assert all([tool["function"]["name"] for tool in body["tools"]][-1] == "Finish" for body in asked)
    assert {body["max_tokens"] for body in asked} == {77}
    assert row(result, "f1").settings["style"] == "tools"
    record = records(result)[2]
    assert record.response == (
        'Thought: \nAction: Finish\nAction Input: {"return_type": "give_answer", "final_answer": "It is cold in Oslo."}'
    )
    assert isinstance(record.input, list) and record.input[-1]["role"] == "tool"


def _call(name: str, arguments: Json) -> Json:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "x", "type": "function", "function": function}]}


@asynccontextmanager
async def native_server(answer: Callable[[Json], Json]) -> AsyncIterator[str]:
    """A server whose model calls functions."""

    async def handle(request: web.BaseRequest) -> web.Response:
        message = answer(await request.json())
        return web.json_response({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def test_repeats(
    server: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    server.answer = lambda prompt: OSLO
    task = make_task(repeats=2, limit=1, generation={"temperature": 0.7})
    result = collected(await run_here(job_of(task, server.base_url), tmp_path / "job"), task)
    assert [asked.body.get("seed") for asked in server.journal] == [None, 1, None, 1]
    assert counts(result, "f1")[1:] == (4, 0)
    assert [(record.sample_id, record.repeat) for record in records(result)] == [("0", 0), ("0", 1)] * 2


@pytest.mark.parametrize("missing", ["in_domain.json", "rows"])
async def test_a_job_that_cannot_begin_says_why(
    make_task: MakeTask, job_of: JobOf, static_folder: Path, tmp_path: Path, missing: str
) -> None:
    task = make_task(dataset={"subsets": ["in_domain"]})
    job = job_of(task)
    if missing == "rows":
        (static_folder / "in_domain.json").write_text("[]", encoding="utf-8")
    else:
        (static_folder / "in_domain.json").unlink()
    outcome = await run_job(job, tmp_path / "job")
    assert outcome.exit_code == 1
    result = collected(outcome, task)
    (only,) = result.rows
    assert (only.metric, only.primary, only.value, only.status) == ("f1", True, None, Status.FAILED)
    assert str(static_folder) in (only.reason or "")
    (error,) = result.errors
    assert str(static_folder) in error.message


async def test_a_file_without_any_row_that_counts(
    server: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, static_folder: Path, tmp_path: Path
) -> None:
    rows = [static_row("q", react("spott", {}))]
    (static_folder / "in_domain.json").write_text(json.dumps(rows), encoding="utf-8")
    task = make_task(dataset={"subsets": ["in_domain"]})
    result = collected(await run_here(job_of(task, server.base_url), tmp_path / "job"), task)
    assert counts(result, "f1") == (None, 0, 0)
    assert row(result, "f1").primary
    assert row(result, "f1").reason == "there was no sample"
    assert server.journal == []


async def test_a_finish_that_is_answered_is_read(
    server: FaultServer, make_task: MakeTask, job_of: JobOf, run_here: RunHere, tmp_path: Path
) -> None:
    server.answer = lambda prompt: finished("It is cold in Bergen.")
    task = make_task(dataset={"subsets": ["in_domain"]})
    result = collected(await run_here(job_of(task, server.base_url), tmp_path / "job"), task)
    assert row(result, "rouge_l").value == pytest.approx(0.8)
    found: Any = records(result)[2].extracted
    assert found["answer"] == "It is cold in Bergen."
