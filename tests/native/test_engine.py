"""The real process against a real server on the loopback: what is asked, recorded and scored."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from pathlib import Path

import orjson
import pytest
from fault_server import Fault, FaultServer

from bridge.endpoint.answer import Answer
from bridge.native.answer import without_thinking
from bridge.native.benchmark import Verdict
from bridge.native.engine import _remarks
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


@pytest.mark.parametrize(("average", "other"), [("micro", "macro"), ("macro", "micro")])
async def test_the_mean_that_is_quoted_can_be_chosen(native_run, task, mcq, average, other) -> None:
    mcq(1, "art")
    options = {"native": {"average": average}}
    given = task({"name": "general_mcq", "path": str(mcq(3, "law"))}, options=options)
    async with FaultServer(answer=lambda prompt: "ANSWER: B" if "art" in prompt else "ANSWER: C") as server:
        assert await native_run.run(given, server.base_url) == 0
    (result,) = native_run.collect(given)
    values = {"micro": 0.25, "macro": 0.5}
    overall = {row.metric: (row.value, row.primary) for row in result.rows if row.subset is None}
    assert overall == {"accuracy": (values[average], True), f"accuracy_{other}": (values[other], False)}


def test_reasoning_that_comes_apart_is_kept_apart() -> None:
    message = {"role": "assistant", "content": "ANSWER: B", "reasoning_content": "A? No."}
    body = orjson.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "length"}]})
    answer = Answer(200, body, tries=1, cached=False, latency_s=0.1)
    remarks = _remarks(answer, without_thinking(answer.text), Verdict("B", {"accuracy": 1.0}, "marker"))
    assert remarks == {"extraction": "marker", "reasoning": "A? No.", "thinking_chars": 6, "validity": "truncated"}


@pytest.mark.parametrize(
    ("options", "extracted", "settings"),
    [({}, None, None), ({"native": {"thinking": "cut"}}, None, None), ({"native": {"thinking": "keep"}}, "B", "keep")],
)
async def test_thinking_is_cut_off_or_kept(native_run, task, mcq, options, extracted, settings) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(1))}, options=options)
    async with FaultServer(answer=lambda prompt: "<think>ANSWER: B</think>No idea.") as server:
        assert await native_run.run(given, server.base_url) == 0
    (result,) = native_run.collect(given)
    (sample,) = result.samples
    assert sample.extracted == extracted
    assert result.rows[0].settings.get("thinking") == settings
    assert sample.response == "<think>ANSWER: B</think>No idea."


async def test_rows_that_are_the_same_are_asked_once_and_recorded_each(
    native_run, task, tmp_path: Path, write_jsonl
) -> None:
    row = {"question": "Which?", "A": "x", "B": "y", "answer": "B"}
    write_jsonl(tmp_path / "q" / "bank_val.jsonl", [{**row, "id": str(at)} for at in range(40)])
    given = task({"name": "general_mcq", "path": str(tmp_path / "q")}, concurrency=16)
    async with FaultServer(answer=always_b, default=Fault(latency_s=0.1)) as server:
        assert await native_run.run(given, server.base_url) == 0
        assert len(server.journal) == 1
    (result,) = native_run.collect(given)
    assert (result.rows[0].value, result.rows[0].n) == (1.0, 40)
