"""Spec → files, as golden files; and what is refused, each with its place.

``BRIDGE_UPDATE_GOLDEN=1 pytest tests/adapters/opencompass`` writes the expected files anew; read them then.
"""

from __future__ import annotations

import ast
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import opencompass_toys as toys
import pytest
from opencompass_runs import make_task

from bridge.adapters.opencompass.translate import INSIDE
from bridge.backend import Endpoint, Job, Task
from bridge.errors import Problem, Unsupported
from bridge.registry import backend
from bridge.spec import TaskSpec

GOLDEN = Path(__file__).parents[2] / "golden" / "opencompass" / "translate"
CASES = sorted(path.name.removesuffix(".spec.json") for path in GOLDEN.glob("*.spec.json"))
ENDPOINT = Endpoint("http://127.0.0.1:1/s/job/v1", "tiny", api_key="TOKEN", failed_marker="MARKER")
OC = backend("opencompass")


def told(jobs: list[Job]) -> str:
    """All of the jobs as one text that a person can read."""
    parts = []
    for job in jobs:
        argv = [part.replace(str(INSIDE), "<inside.py>") for part in job.argv]
        parts.append(f"######## {job.id}: {', '.join(job.datasets)}\n{' '.join(argv)}\n")
        parts.append("".join(f"{name}={value}\n" for name, value in sorted(job.env.items())))
        parts += [f"==== {name}\n{text}" for name, text in job.files.items()]
    return "\n".join(parts)


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    spec = TaskSpec.model_validate_json((GOLDEN / f"{case}.spec.json").read_text(encoding="utf-8"))
    assert spec.model is not None
    judge = Endpoint("http://127.0.0.1:2/s/judge/v1", "judge", api_key="TOKEN-OF-THE-JUDGE") if spec.judge else None
    found = told(OC.translate(Task(spec, spec.model, spec.datasets, 8), replace(ENDPOINT, judge=judge)))
    path = GOLDEN / f"{case}.jobs.txt"
    if os.environ.get("BRIDGE_UPDATE_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_there_are_cases() -> None:
    assert {"smallest", "everything", "clashes", "own_questions", "judged"} == set(CASES)


def jobs_of(datasets: list[Any], **more: Any) -> list[Job]:
    return OC.translate(make_task(datasets, **more), ENDPOINT)


def test_every_file_is_python_or_json() -> None:
    for job in jobs_of(["gsm8k", "mmlu", "general_qa"], data="/data", limit=3, repeats=2):
        for name, text in job.files.items():
            if name.endswith(".py"):
                ast.parse(text)
            else:
                json.loads(text)


def test_datasets_that_need_the_same_configuration_or_place_go_into_jobs_of_their_own() -> None:
    datasets = [
        "gsm8k",
        {"name": "gsm8k", "alias": "again", "limit": 2},
        {"name": "opencompass:gsm8k_gen_701491", "alias": "same-files"},
        {"name": "opencompass:gsm8k_gen_3309bd", "alias": "other-files", "path": "/elsewhere"},
        {"name": "ARC_c"},
        {"name": "arc", "subsets": ["ARC-Challenge"], "split": "test"},
    ]
    jobs = jobs_of(datasets, data="/data")
    assert [job.datasets for job in jobs] == [
        ("gsm8k", "same-files", "ARC_c"),
        ("again", "arc"),
        ("other-files",),
    ]
    assert [job.id for job in jobs] == ["opencompass", "opencompass-2", "opencompass-3"]


def test_the_repeats_of_a_limited_dataset_are_the_same_rows() -> None:
    """OpenCompass puts copies of the dataset behind one another, and applies the range to the whole."""
    (job,) = jobs_of([{"name": "gsm8k", "limit": 3, "repeats": 3}], data="/data")
    text = job.files["dataset_0.py"]
    expression = text.split("test_range='")[1].split("'")[0]
    assert eval(f"index_list{expression}", {"index_list": list(range(21))}) == [0, 1, 2, 7, 8, 9, 14, 15, 16]


def problems(datasets: list[Any], **more: Any) -> list[Problem]:
    return OC.check(make_task(datasets, **more))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    toys.write_all(tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("dataset", "field", "said"),
    [
        ({"name": "gsmk8"}, "name", "OpenCompass has no dataset 'gsmk8' (did you mean 'gsm8k'?)"),
        ({"name": "livecodebench"}, "name", "executes code that the model writes"),
        ({"name": "opencompass:mmlu_ppl_ac766d"}, "name", "scores likelihoods"),
        ({"name": "SimpleQA"}, "name", "scored by a judge model, and the spec has none"),
        ({"name": "opencompass:fofo_judge"}, "name", "leaves its judgements to a summarizer over several models"),
        ({"name": "commonsenseqa"}, "name", "worked examples with a model from a hub"),
        (
            {"name": "aime2024_llmjudge_gen"},
            "name",
            "scored by a judge model, and the spec has none (give one under 'judge')",
        ),
        ({"name": "mmlu", "subsets": ["astronomi"]}, "subsets", "no subset 'astronomi' (did you mean 'astronomy'?)"),
        ({"name": "gsm8k", "subsets": ["main"]}, "subsets", "it has no subsets (leave it out)"),
        ({"name": "gsm8k", "split": "train"}, "split", "split 'train' cannot be chosen (one of: test, main)"),
        ({"name": "triviaqa", "split": "dev"}, "split", "(leave it out: the configuration decides)"),
        ({"name": "gsm8k", "num_fewshot": 0}, "num_fewshot", "the number of examples is 4, written into the prompt"),
        ({"name": "general_qa", "num_fewshot": 3}, "num_fewshot", "OpenCompass asks it without examples"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_both(dataset: dict[str, Any], field: str, said: str, data: Path) -> None:
    found = problems([dataset], data=str(data))
    (problem,) = [problem for problem in found if problem.field == f"datasets[0].{field}"]
    assert said in str(problem)
    with pytest.raises(Unsupported) as raised:
        jobs_of([dataset], data=str(data))
    assert problem in raised.value.problems


@pytest.mark.parametrize(
    "dataset",
    [
        {"name": "gsm8k", "num_fewshot": 4, "split": "test"},
        {"name": "ARC_c", "num_fewshot": 0, "split": "dev"},
        {"name": "arc", "split": "test"},
        {"name": "mmlu", "subsets": list(toys.MMLU), "num_fewshot": 3},
        {"name": "hellaswag", "split": "validation"},
        {"name": "general_mcq", "subsets": ["shop"]},
        {"name": "general_qa", "num_fewshot": 0, "split": "test"},
    ],
)
def test_what_can_be_honoured_is_not(dataset: dict[str, Any], data: Path) -> None:
    assert problems([dataset], data=str(data)) == []


def test_options_are_checked_one_by_one(data: Path) -> None:
    options = {"opencompass": {"data": 3, "modle": {}, "model": {"key": "sk", "temperature": 1, "mode": "mid"}}}
    found = {problem.field: str(problem) for problem in problems(["gsm8k"], data=str(data), options=options)}
    assert found.keys() == {
        "options.opencompass.data",
        "options.opencompass.modle",
        "options.opencompass.model.key",
        "options.opencompass.model.temperature",
    }
    assert "did you mean 'model'?" in found["options.opencompass.modle"]


def test_missing_files_are_told_with_the_layout_that_is_expected(tmp_path: Path) -> None:
    found = problems(["gsm8k", {"name": "mmlu", "path": str(tmp_path)}, "triviaqa"], data=str(tmp_path))
    by_field = {problem.field: problem for problem in found}
    assert by_field.keys() == {"datasets[0]", "datasets[1].path", "datasets[2]"}
    assert "test.jsonl, train.jsonl missing" in by_field["datasets[0]"].message
    assert "data/gsm8k" in by_field["datasets[0]"].hint
    assert "and 110 more missing" in by_field["datasets[1].path"].message
    assert "dev/<subset>_dev.csv, test/<subset>_test.csv" in by_field["datasets[1].path"].hint
    assert "expected trivia-dev.qa.csv, trivia-test.qa.csv" in by_field["datasets[2]"].hint


def test_without_any_place_the_user_is_told_how_to_give_one() -> None:
    (problem,) = problems(["gsm8k"])
    assert "give 'path' (or 'data', or BRIDGE_DATA)" in problem.message


def test_where_some_subsets_are_there_the_line_that_asks_for_them_is_given(data: Path) -> None:
    (problem,) = problems(["bbh"], data=str(data))
    assert "what is there: subsets: [snarks, navigate]" in problem.hint
    (problem,) = problems(["mmlu"], data=str(data))
    assert "what is there: subsets: [astronomy, anatomy, virology]" in problem.hint


def test_files_may_lie_in_opencompass_own_layout(data: Path, tmp_path: Path) -> None:
    own = tmp_path / "oc" / "data"
    own.mkdir(parents=True)
    for source, target in (("gsm8k", "gsm8k"), ("mmlu", "mmlu"), ("bbh/bbh", "BBH/data"), ("arc", "ARC/ARC-c")):
        (own / target).parent.mkdir(parents=True, exist_ok=True)
        (data / source).rename(own / target)
    (own / "hellaswag").mkdir()
    toys.write_jsonl(own / "hellaswag" / "hellaswag.jsonl", [{"query": "A: b", "choices": ["1"] * 4, "gold": 1}])
    for split in ("dev", "test"):
        toys.write_jsonl(own / "triviaqa" / f"trivia-{split}.qa.csv", [])
    datasets = [
        *("gsm8k", "ARC_c", "hellaswag", "triviaqa"),
        {"name": "mmlu", "subsets": list(toys.MMLU)},
        {"name": "bbh", "subsets": list(toys.BBH)},
    ]
    for root in (tmp_path / "oc", own):
        assert problems(datasets, data=str(root)) == []
        assert problems(datasets, options={"opencompass": {"data": str(root)}}) == []
        assert problems([{"name": "gsm8k", "path": str(root)}]) == []


def test_a_path_may_be_the_file_itself(data: Path) -> None:
    datasets = [
        {"name": "gsm8k", "path": str(data / "gsm8k" / "test.jsonl")},
        {"name": "ARC_c", "path": str(data / "arc" / "ARC-Challenge-Test.jsonl")},
        {"name": "hellaswag", "path": str(data / "hellaswag" / "hellaswag_val.jsonl")},
        {"name": "general_mcq", "path": str(data / "general_mcq" / "shop_val.jsonl")},
        {"name": "general_qa", "path": str(data / "general_qa" / "sums.jsonl")},
    ]
    assert problems(datasets) == []


def test_the_job_knows_the_run_only_by_its_environment() -> None:
    task = make_task(["gsm8k"], data="/data")
    first = OC.translate(task, ENDPOINT)[0]
    second = OC.translate(task, replace(ENDPOINT, base_url="http://other", api_key="X", failed_marker="Y"))[0]
    assert dict(first.files) == dict(second.files)
    assert {name for name in first.env if first.env[name] != second.env[name]} == {
        "OPENAI_BASE_URL",
        "OPENAI_API_KEY",
        "BRIDGE_FAILED_MARKER",
    }
