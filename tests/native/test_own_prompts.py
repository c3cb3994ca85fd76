"""``prompt`` of a dataset: template, system prompt, drawn examples."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import pytest
from fault_server import FaultServer

from bridge.native.backend import NativeBackend
from bridge.native.preview import preview
from bridge.native.readers import DataError


def sent(task, count: int = 1) -> list[list[dict[str, str]]]:
    return [dict(shown.request)["messages"] for shown in islice(preview(task), count)]


def test_template_and_system_prompt_take_the_benchmarks_place(task, mcq) -> None:
    prompt = {"template": "{question}\n{choices}\nSay {{ANSWER: X}}.", "system": "Be brief."}
    (messages,) = sent(task({"name": "general_mcq", "path": str(mcq(1)), "prompt": prompt}))
    assert messages == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": "Which is number 0 of bank?\nA) one\nB) two\nC) three\nSay {ANSWER: X}.",
        },
    ]


def test_examples_are_drawn_by_the_seed(task, tmp_path: Path, write_jsonl) -> None:
    folder = tmp_path / "gsm8k"
    write_jsonl(folder / "test.jsonl", [{"question": "Asked?", "answer": "#### 1"}])
    write_jsonl(folder / "train.jsonl", [{"question": f"Example {at}?", "answer": "#### 1"} for at in range(50)])

    def shown(**prompt: int) -> list[str]:
        (messages,) = sent(task({"name": "gsm8k", "path": str(folder), "prompt": prompt or None}))
        return re.findall(r"Example (\d+)", messages[0]["content"])

    assert shown() == ["0", "1", "2", "3"]
    assert shown(fewshot_seed=7) == shown(fewshot_seed=7)
    assert len({tuple(shown(fewshot_seed=seed)) for seed in range(5)}) == 5
    assert len(set(shown(fewshot_seed=7))) == 4


def test_examples_are_those_that_are_named(task, tmp_path: Path, write_jsonl) -> None:
    folder = tmp_path / "gsm8k"
    write_jsonl(folder / "test.jsonl", [{"question": "Asked?", "answer": "#### 1"}])
    write_jsonl(folder / "train.jsonl", [{"question": f"Example {at}?", "answer": "#### 1"} for at in range(50)])

    def given(ids: list[str], **more: int):
        return task({"name": "gsm8k", "path": str(folder), "prompt": {"fewshot_ids": ids}, **more})

    (messages,) = sent(given(["31", "7"]))
    assert re.findall(r"Example (\d+)", messages[0]["content"]) == ["31", "7"]
    with pytest.raises(DataError, match="no worked example with the id '99'; the first are: 0, 1"):
        sent(given(["99"]))
    (problem,) = NativeBackend().check(given(["1", "2"], num_fewshot=5))
    assert (problem.field, problem.message) == (
        "datasets[0].num_fewshot",
        "is 5, and prompt.fewshot_ids names 2 examples",
    )
    with pytest.raises(ValueError, match="one of 'fewshot_seed' and 'fewshot_ids'"):
        task({"name": "gsm8k", "prompt": {"fewshot_ids": ["1"], "fewshot_seed": 3}})


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("What?", "names no field"),
        ("{question", "not a template"),
        ("{}", "a plain name"),
        ("{question.real}", "a plain name"),
    ],
)
def test_a_template_that_cannot_work_is_refused(task, mcq, template: str, message: str) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(1)), "prompt": {"template": template}})
    (problem,) = NativeBackend().check(given)
    assert problem.field == "datasets[0].prompt.template"
    assert message in problem.message


async def test_a_field_that_rows_lack_is_an_error_of_each(native_run, task, mcq) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(2)), "prompt": {"template": "{qestion}"}})
    async with FaultServer() as server:
        assert await native_run.run(given, server.base_url) == 7
        assert server.journal == []
    (result,) = native_run.collect(given, exit_code=7)
    assert (result.rows[0].value, result.rows[0].n_errors) == (None, 2)
    assert "the prompt names 'qestion'; there are: question, choices" in result.errors[0].message


async def test_the_report_says_how_it_was_asked(native_run, task, mcq) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(1)), "prompt": {"template": "{question}"}})
    async with FaultServer(answer=lambda prompt: "B") as server:
        assert await native_run.run(given, server.base_url) == 0
        assert server.prompts == ["Which is number 0 of bank?"]
    (result,) = native_run.collect(given)
    assert result.rows[0].settings["prompt"] == {"template": "{question}"}
    (sample,) = result.samples
    assert sample.input == [{"role": "user", "content": "Which is number 0 of bank?"}]


async def test_a_preview_is_what_is_sent(native_run, task, mcq) -> None:
    given = task({"name": "general_mcq", "path": str(mcq(3))}, generation={"seed": 5}, repeats=2)
    async with FaultServer(answer=lambda prompt: "B") as server:
        assert await native_run.run(given, server.base_url) == 0
        asked = sorted((one.body["messages"][0]["content"], one.body["seed"]) for one in server.journal)
        bodies = [one.body for one in server.journal]
    shown = [dict(one.request) for one in preview(given)]
    assert sorted((one["messages"][0]["content"], one["seed"]) for one in shown) == asked
    assert all(one in bodies for one in shown)
