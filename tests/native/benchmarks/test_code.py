"""humaneval and mbpp: real rows, scored in the sandbox, through the engine as it is started by a run."""

from __future__ import annotations

import gzip
import json
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer

from bridge.native.benchmarks import benchmark, mbpp
from bridge.native.readers import read_rows
from bridge.native.scorers.code import find_code, program_of
from bridge.report.schema import ErrorKind, Status
from bridge.sandbox.programs import Programs
from bridge.sandbox.trial import why_not

Rows = Callable[[str], Path]


@pytest.fixture(scope="module")
def programs() -> Iterator[Programs]:
    if why := why_not():
        pytest.skip(why)
    with Programs() as running:
        yield running


def right_answers(name: str, path: Path) -> dict[str, str]:
    """By a line that only this row's prompt has: the canonical solution, as a chat model would give it."""
    mark, found = benchmark(name), {}
    for line in read_rows(path):
        if mark.split_of is None or mark.split_of(line.row) == mark.split:
            sample = mark.to_sample(line.row)
            found[mark.prompt.question.format_map(sample.fields)] = (
                f"Here:\n\n```python\n{sample.fields['target']}\n```"
            )
    return found


def answering(answers: dict[str, str]) -> Callable[[str], str]:
    """The answer to the question that stands at the end of a prompt."""
    return lambda prompt: next(answer for question, answer in answers.items() if prompt.endswith(question))


async def test_the_canonical_solutions_of_humaneval_all_pass(native_run, task, rows: Rows, programs: Programs) -> None:
    folder = rows("humaneval")
    given = task({"name": "humaneval", "path": str(folder)})
    async with FaultServer(answer=answering(right_answers("humaneval", folder / "HumanEval.jsonl.gz"))) as server:
        assert await native_run.run(given, server.base_url) == 0
    (result,) = native_run.collect(given)
    (row,) = result.rows
    assert (row.metric, row.value, row.n, row.n_errors) == ("pass_at_1", 1.0, 164, 0)
    assert {record.metadata["extraction"] for record in result.samples} == {"fenced"}


@pytest.mark.parametrize(
    ("name", "file", "count"),
    [
        ("mbpp", "mbpp.jsonl", 500),
        ("mbpp_sanitized", "mbpp_sanitized_for_code_generation.jsonl", 257),
    ],
)
def test_the_reference_code_of_mbpp_passes(name: str, file: str, count: int, rows: Rows, programs: Programs) -> None:
    mark = benchmark(name)
    lines = [line.row for line in read_rows(rows("mbpp") / file) if mbpp.split_of(line.row) == "test"]
    assert len(lines) == count
    for row in lines[:: 5 if name == "mbpp" else 7]:
        sample = mark.to_sample(row)
        ran = programs.run(program_of(sample.fields["target"], sample))
        assert ran.passed, (sample.id, ran.reason)


async def test_mbpp_is_asked_with_its_three_examples(native_run, task, rows: Rows, programs: Programs) -> None:
    path = rows("mbpp") / "mbpp.jsonl"
    given = task({"name": "mbpp", "path": str(path), "limit": 12})
    async with FaultServer(answer=answering(right_answers("mbpp", path))) as server:
        assert await native_run.run(given, server.base_url) == 0
        prompt = server.prompts[0]
    assert [prompt.index(name) for name in ("similar_elements", "is_not_prime", "heap_queue_largest")] == sorted(
        prompt.index(name) for name in ("similar_elements", "is_not_prime", "heap_queue_largest")
    )
    assert prompt.count("has to pass these tests") == 4
    (result,) = native_run.collect(given)
    (row,) = result.rows
    assert (row.value, row.n, row.num_fewshot) == (1.0, 12, 3)
    assert [record.sample_id for record in result.samples][:2] == ["11", "12"]


async def test_the_example_of_the_paper_scores_a_half(native_run, task, rows: Rows, programs: Programs) -> None:
    """``example_samples.jsonl``: six completions as a model writes them that goes on with its prompt."""
    folder = rows("humaneval")
    said = [json.loads(line)["completion"] for line in (folder / "example_samples.jsonl").read_text().splitlines()]
    waiting = iter(said)
    async with FaultServer(answer=lambda prompt: next(waiting)) as server:
        given = task(
            {"name": "humaneval", "path": str(folder / "example_problem.jsonl")},
            repeats=6,
            concurrency=1,
            generation={"temperature": 0.8},
        )
        assert await native_run.run(given, server.base_url) == 0
    (result,) = native_run.collect(given)
    values = {row.metric: row.value for row in result.rows}
    assert values["pass_at_1"] == 0.5
    assert values["pass_at_2"] == pytest.approx(0.8)
    assert {record.response: record.scores["pass_at_1"] for record in result.samples} == dict(
        zip(said, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0], strict=True)
    )


async def test_empty_answers_and_answers_of_another_task(native_run, task, rows: Rows, programs: Programs) -> None:
    path = rows("humaneval") / "HumanEval.jsonl.gz"
    answers = list(right_answers("humaneval", path).items())
    shifted = {question: answer for (question, _), (_, answer) in zip(answers, answers[1:] + answers[:1], strict=True)}
    shifted[answers[3][0]] = ""
    given = task({"name": "humaneval", "path": str(path), "limit": 8})
    async with FaultServer(answer=answering(shifted)) as server:
        assert await native_run.run(given, server.base_url) == 0
    (result,) = native_run.collect(given)
    values = {row.metric: row.value for row in result.rows}
    assert values == {"pass_at_1": 0.0, "answers_empty": 1.0}
    assert "AssertionError" in next(iter(result.samples)).metadata["remark"]


async def test_a_sandbox_that_breaks_is_an_error_and_no_score(
    native_run, task, rows: Rows, programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = rows("humaneval") / "HumanEval.jsonl.gz"
    broken = tmp_path / "bin" / "bwrap"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'bwrap: no namespaces left' >&2\nexit 1\n")
    broken.chmod(broken.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{broken.parent}:/usr/bin:/bin")
    given = task({"name": "humaneval", "path": str(path), "limit": 3})
    async with FaultServer(answer=answering(right_answers("humaneval", path))) as server:
        assert await native_run.run(given, server.base_url) == 7
    (result,) = native_run.collect(given, 7)
    (row,) = result.rows
    assert (row.value, row.n, row.n_errors, row.status) == (None, 0, 3, Status.FAILED)
    assert [(error.kind, error.count) for error in result.errors] == [(ErrorKind.BACKEND, 3)]


def test_where_code_is_found() -> None:
    function = "import math\n\ndef area(r):\n    return math.pi * r\n"
    for answer, expected in (
        (f"```python\n{function}```", (function, "fenced")),
        (f"Try:\n```\nprint(1)\n```\nor rather\n```py\n{function}```\nBye.", (function, "fenced")),
        ("```\nx = 1\n```\n```\ny = 2\n```", ("x = 1\n", "fenced")),
        (f"It was cut off:\n```python\n{function}", (function, "fenced")),
        (f"Sure, here it is.\n{function}", (function, "bare")),
        ("    return 3.14 * r", ("    return 3.14 * r", "raw")),
        ("  ```python\n    return r\n  ```", ("    return r\n", "fenced")),
    ):
        assert find_code(answer, "area") == expected, answer


def test_the_forms_of_rows() -> None:
    task = {"task_id": 11, "test_list": ["assert set(one(1)) == {1}"], "code": "def one(n):\r\n    return [n]"}
    sample = benchmark("mbpp").to_sample({**task, "text": "Write it.", "test_setup_code": "x = 1"})
    assert sample.target == {"prompt": "", "name": "one", "tests": "x = 1\nassert set(one(1)) == {1}\n"}
    clean = benchmark("mbpp_sanitized").to_sample({**task, "prompt": "Write it.", "test_imports": ["import math"]})
    assert clean.target["tests"].startswith("import math\nassert")
    given = {
        "task_id": "MbppEval/11",
        "prompt": "import re\ndef one(n):\n    '''\n    Write it.\n    '''\n",
        "canonical_solution": "    return [n]\n",
        "test": "def check(candidate):\n    assert one(1) == [1]\n    assert one(2) == [2]\n",
    }
    form = benchmark("mbpp_sanitized").to_sample(given)
    assert (form.id, form.fields["question"]) == ("11", "Write it.")
    assert form.target == {"prompt": "", "name": "one", "tests": "assert one(1) == [1]\nassert one(2) == [2]\n"}


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("humaneval", {"prompt": "", "entry_point": "a b", "test": ""}, "no name of a function"),
        ("humaneval", {"prompt": "", "entry_point": "a"}, "test"),
        ("mbpp", {"text": "?", "task_id": 11, "test_list": []}, "a list of asserts"),
        ("mbpp", {"text": "?", "task_id": 11, "test_list": ["assert 1"]}, "call no function"),
        ("mbpp_sanitized", {"task_id": 11, "prompt": "?", "test": "assert f()"}, "check\\(candidate\\)"),
    ],
)
def test_rows_in_another_form(name: str, row: dict[str, Any], message: str) -> None:
    with pytest.raises((KeyError, ValueError), match=message):
        benchmark(name).to_sample(row)


def test_the_splits_of_mbpp_are_the_papers(rows: Rows) -> None:
    sizes: dict[str, int] = {}
    for line in read_rows(rows("mbpp") / "mbpp.jsonl"):
        split = mbpp.split_of(line.row)
        sizes[split] = sizes.get(split, 0) + 1
    assert sizes == {"rest": 7, "examples": 3, "test": 500, "validation": 90, "train": 374}


def test_humaneval_is_the_file_as_it_was_published(rows: Rows) -> None:
    with gzip.open(rows("humaneval") / "HumanEval.jsonl.gz", "rt") as lines:
        names = [json.loads(line)["task_id"] for line in lines]
    assert names == [f"HumanEval/{n}" for n in range(164)]
    assert all(re.fullmatch(r"HumanEval/\d+", name) for name in names)
