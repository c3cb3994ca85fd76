"""Scoring by likelihood, against a server whose log-probabilities are made up and sums done by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from likelihood_server import LikelihoodServer

from bridge.backend import Task
from bridge.errors import SpecError
from bridge.native.backend import NativeBackend
from bridge.native.benchmarks import NAMES, benchmark
from bridge.native.likelihood import prompt_logprobs
from bridge.report.schema import ErrorKind, Report, ResultRow, Status
from bridge.runs import run
from bridge.spec import TaskSpec

ICE = {
    "id": "1",
    "question": {
        "stem": "What is cold?",
        "choices": [{"text": "a big fire", "label": "A"}, {"text": "ice", "label": "B"}],
    },
    "answerKey": "A",
}
TRUTH = {
    "question": "Is it so?",
    "mc1_targets": {"Yes it is.": 1, "No.": 0},
    "mc2_targets": {"Yes it is.": 1, "Certainly.": 1, "No.": 0},
}
SCENE = {
    "activity_label": "Rowing",
    "ctx_a": "A man sits in a boat.",
    "ctx_b": "he",
    "endings": ["rows [step] away.", "flies."],
    "label": 0,
}
MMLU = ("How many?,one,two,three,four,B\n", "What is 1+1?,1,2,3,4,B\nWhat is 1+2?,1,2,3,4,C\n")
Write = Callable[[Path, list[Any]], Path]


@pytest.fixture
def data(tmp_path: Path, write_jsonl: Write) -> Path:
    folder = tmp_path / "data"
    write_jsonl(folder / "arc" / "ARC-Easy-Test.jsonl", [ICE])
    write_jsonl(folder / "hellaswag" / "hellaswag_val.jsonl", [SCENE])
    for part, text in zip(("test", "dev"), MMLU, strict=True):
        (folder / "mmlu" / part).mkdir(parents=True)
        (folder / "mmlu" / part / f"high_school_physics_{part}.csv").write_text(text, encoding="utf-8")
    for name in ("truthful_qa", "truthful_qa_mc2"):
        (folder / name).mkdir()
        (folder / name / "mc_task.json").write_text(json.dumps([TRUTH]), encoding="utf-8")
    return folder


def spec_of(url: str, data: Path, *names: str, **fields: Any) -> TaskSpec:
    datasets = [{"name": name, "path": str(data / name), "scoring": "loglikelihood"} for name in names]
    model = {"name": "m", "endpoint": {"base_url": url}}
    return TaskSpec.model_validate({"model": model, "backend": "native", "datasets": datasets, **fields})


def row(report: Report, dataset: str, metric: str) -> ResultRow:
    (found,) = [
        r for r in report.results if (r.dataset, r.metric, r.subset, r.category) == (dataset, metric, None, None)
    ]
    return found


def samples(root: Path, dataset: str) -> list[dict[str, Any]]:
    lines = (root / "samples" / "native" / f"{dataset}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("says", ["prompt_logprobs", "echo"])
def test_sums_and_lengths(says: str, data: Path, tmp_path: Path) -> None:
    """``a big fire``: -1.2 over 10 characters; ``ice``: -0.6 over 3. The sum is for ice, the mean for the fire."""
    with LikelihoodServer({"a": -0.2, "big": -0.4, "fire": -0.6, "ice": -0.6}, says).running() as server:
        report = run(spec_of(server.url, data, "arc"), output=tmp_path / "run")
    assert (report.status, report.exit_code) == (Status.COMPLETE, 0)
    primary = row(report, "arc", "accuracy_norm")
    assert (primary.primary, primary.value, primary.n) == (True, 1.0, 1)
    assert row(report, "arc", "accuracy").value == 0.0
    (sample,) = samples(tmp_path / "run", "arc")
    assert sample["input"] == "Question: What is cold?\nAnswer:"
    assert [
        (one["continuation"], round(one["logprob"], 9), one["tokens"]) for one in json.loads(sample["response"])
    ] == [
        (" a big fire", -1.2, 3),
        (" ice", -0.6, 1),
    ]
    assert (sample["target"], sample["extracted"]) == ("A", "A")
    assert primary.settings["scoring"] == "loglikelihood" and "temperature" not in primary.settings


def test_each_text_is_asked_once_and_never_again(data: Path, tmp_path: Path) -> None:
    with LikelihoodServer({}, "both").running() as server:
        report = run(spec_of(server.url, data, "arc"), output=tmp_path / "run")
        context = "Question: What is cold?\nAnswer:"
        asked = sorted(prompt for prompt in server.prompts if prompt.startswith("Question"))
        assert asked == sorted([context, f"{context} a big fire", f"{context} ice"])
        assert report.usage.requests == 3
        before = len(server.prompts)
        again = run(spec_of(server.url, data, "arc"), output=tmp_path / "run")
        assert len(server.prompts) == before
        assert again.results == report.results


def test_hellaswag_is_the_scene_and_its_endings(data: Path, tmp_path: Path) -> None:
    with LikelihoodServer({"rows": -0.1, "away.": -0.1, "flies.": -5.0}, "prompt_logprobs").running() as server:
        report = run(spec_of(server.url, data, "hellaswag"), output=tmp_path / "run")
    assert row(report, "hellaswag", "accuracy_norm").value == 1.0
    scene = "Rowing: A man sits in a boat. He"
    assert {scene, f"{scene} rows away.", f"{scene} flies."} <= set(server.prompts)


def test_mmlu_is_the_papers_prompt_and_four_letters(data: Path, tmp_path: Path) -> None:
    with LikelihoodServer({"B": -0.1}, "prompt_logprobs").running() as server:
        spec = spec_of(server.url, data, "mmlu")
        dataset = spec.datasets[0].model_copy(update={"num_fewshot": 2})
        report = run(spec.model_copy(update={"datasets": (dataset,)}), output=tmp_path / "run")
    assert row(report, "mmlu", "accuracy").value == 1.0
    assert row(report, "mmlu", "accuracy").primary
    prompt = (
        "The following are multiple choice questions (with answers) about high school physics.\n\n"
        "What is 1+1?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer: B\n\n"
        "What is 1+2?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer: C\n\n"
        "How many?\nA. one\nB. two\nC. three\nD. four\nAnswer:"
    )
    assert {prompt, *(f"{prompt} {letter}" for letter in "ABCD")} <= set(server.prompts)


def test_truthful_qa_one_and_several(data: Path, tmp_path: Path) -> None:
    """MC1: ``Yes it is.`` sums to -1.5, ``No.`` to -1. MC2: the share of the two true ones."""
    table = {"Yes": -0.5, "it": -0.5, "is.": -0.5, "Certainly.": -2.0, "No.": -1.0}
    with LikelihoodServer(table, "echo").running() as server:
        report = run(spec_of(server.url, data, "truthful_qa", "truthful_qa_mc2"), output=tmp_path / "run")
    assert row(report, "truthful_qa", "accuracy").value == 0.0
    true = math.exp(-1.5) + math.exp(-2.0)
    expected = true / (true + math.exp(-1.0))
    assert row(report, "truthful_qa_mc2", "probability").value == pytest.approx(expected, abs=1e-12)
    (prompt,) = {prompt for prompt in server.prompts if prompt.endswith("Is it so?\nA:")}
    assert prompt.startswith("Q: What is human life expectancy in the United States?\nA: Human life")
    assert prompt.endswith("held in Barcelona, Spain.\n\nQ: Is it so?\nA:")


def test_a_server_that_cannot_is_refused_before_anything_is_asked(data: Path, tmp_path: Path) -> None:
    with LikelihoodServer({}, "neither").running() as server:
        report = run(spec_of(server.url, data, "arc"), output=tmp_path / "run")
        assert report.exit_code == 4
        (error,) = [error for error in report.errors if error.kind is ErrorKind.SERVE]
        assert "model m: the server tells no log-probabilities of a prompt" in error.message
        assert "model.local" in error.message
        assert not [prompt for prompt in server.prompts if prompt.startswith("Question")]
        assert row(report, "arc", "accuracy_norm").value is None


def test_a_text_that_is_not_answered_leaves_its_sample_unscored(data: Path, tmp_path: Path) -> None:
    server = LikelihoodServer({}, "prompt_logprobs")
    server.fails_on = " ice"
    with server.running():
        report = run(spec_of(server.url, data, "arc"), output=tmp_path / "run")
    assert report.status is Status.FAILED
    (sample,) = samples(tmp_path / "run", "arc")
    assert sample["scores"] == {} and "not here" in sample["error"]


def test_generation_and_likelihood_in_one_spec_need_both(data: Path, tmp_path: Path) -> None:
    """The same dataset twice: what the server cannot do fails alone."""
    both = [
        {"name": "arc", "path": str(data / "arc"), "alias": how, "scoring": how}
        for how in ("generation", "loglikelihood")
    ]
    with LikelihoodServer({}, "both").running() as server:
        model = {"name": "m", "endpoint": {"base_url": server.url}}
        report = run(TaskSpec.model_validate({"model": model, "datasets": both}), output=tmp_path / "run")
    values = {r.dataset: (r.metric, r.status) for r in report.results if r.primary}
    assert values == {
        "generation": ("accuracy", Status.FAILED),
        "loglikelihood": ("accuracy_norm", Status.COMPLETE),
    }


# What is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "dataset", "told"),
    [
        (
            {},
            {"name": "general_qa"},
            "scoring: general_qa is not scored by likelihood (these are: mmlu, arc, hellaswag",
        ),
        ({}, {"generation": {"temperature": 0.5}}, "generation: nothing is written where likelihoods are scored"),
        ({}, {"repeats": 3}, "repeats: a likelihood is the same each time"),
        ({}, {"prompt": {"system": "x"}}, "prompt.system: a text whose likelihood is scored has no system prompt"),
        (
            {"local": {"path": "/w"}},
            {"scoring": None},
            "model.local writes no text: arc is scored by what a model writes",
        ),
        ({"local": {"name": "SmolVLM"}}, {}, "model.local.path: native needs a folder of weights"),
    ],
)
def test_what_makes_no_sense_is_refused(model: dict[str, Any], dataset: dict[str, Any], told: str, data: Path) -> None:
    given = model or {"endpoint": {"base_url": "http://127.0.0.1:9/v1"}}
    what = {"name": "arc", "path": str(data / "arc"), "scoring": "loglikelihood", **dataset}
    spec = TaskSpec.model_validate({"model": {"name": "m", **given}, "datasets": [what]})
    assert spec.model is not None
    problems = NativeBackend().check(Task(spec, spec.model, spec.datasets, 4))
    assert any(told in str(problem) for problem in problems), problems


def test_other_backends_say_why_not(data: Path) -> None:
    from bridge.plan import make_plan

    spec = spec_of("http://127.0.0.1:9/v1", data, "arc", backend="opencompass")
    with pytest.raises(SpecError, match="scoring: opencompass cannot support this"):
        make_plan(spec)
    local = {"model": {"name": "m", "local": {"path": "/w"}}, "datasets": [{"name": "arc", "backend": "opencompass"}]}
    with pytest.raises(SpecError, match=r"model.local: opencompass cannot support this .*model.deploy"):
        make_plan(TaskSpec.model_validate(local))


def test_those_whose_papers_do_so_and_no_others() -> None:
    found = [name for name in NAMES if benchmark(name).likelihood]
    assert found == ["mmlu", "arc", "hellaswag", "truthful_qa", "truthful_qa_mc2"]


def test_more_likely_tokens_beside_the_prompts_own_are_passed_over() -> None:
    from bridge.endpoint.answer import Answer

    told = [None, {"5": {"logprob": -2.0, "rank": 9}, "8": {"logprob": -0.1, "rank": 1}}]
    body = json.dumps({"choices": [{"text": "", "prompt_logprobs": told}]}).encode()
    assert prompt_logprobs(Answer(200, body, 1, False, 0.1), "prompt_logprobs") == [None, -2.0]
