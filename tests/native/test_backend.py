from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.backend import Endpoint, Task, features_used
from bridge.errors import Unsupported
from bridge.native import backend as module
from bridge.native.backend import NativeBackend
from bridge.native.benchmarks import NAMES
from bridge.native.job import API_KEY_ENV, BASE_URL_ENV, read_job

BACKEND = NativeBackend()
ENDPOINT = Endpoint("http://127.0.0.1:9/v1", "m")
NewTask = Callable[..., Task]


def problems(task: Task) -> list[str]:
    return [str(problem) for problem in BACKEND.check(task)]


def job_json(task: Task, endpoint: Endpoint = ENDPOINT) -> dict[str, Any]:
    (job,) = BACKEND.translate(task, endpoint)
    found: dict[str, Any] = json.loads(job.files["job.json"])
    return found


def test_datasets_are_listed_and_resolved() -> None:
    listed = BACKEND.datasets()
    assert tuple(listed) == NAMES
    assert listed["mmlu"].num_fewshot == 5
    assert len(listed["mmlu"].subsets) == 57
    assert listed["general_qa"].kind == "custom"
    assert all(info.backend == "native" and info.description and info.metric for info in listed.values())
    assert BACKEND.resolve("native:arc") == listed["arc"]
    assert BACKEND.resolve("arcc") is None


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from bridge.native.backend import NativeBackend; NativeBackend().datasets(); "
        "print(*sorted({'numpy', 'sympy', 'aiohttp', 'openai', 'jieba', 'yaml', 'sacrebleu'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_feature_has_its_support() -> None:
    from bridge.backend import Feature

    assert set(BACKEND.support) == set(Feature)


def test_real_folders_are_in_order(task: NewTask, rows: Callable[[str], Path]) -> None:
    data = str(rows("gsm8k").parent)
    assert problems(task("gsm8k", "mmlu", "arc", "hellaswag", data=data)) == []
    file = str(rows("hellaswag") / "hellaswag_val_subset.jsonl")
    assert problems(task({"name": "native:hellaswag", "path": file})) == []


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        ({"name": "mmlu", "subsets": ["abstract_algebr"]}, "subsets[0]: mmlu has no subset 'abstract_algebr' (did you"),
        ({"name": "mmlu", "num_fewshot": 6}, "num_fewshot: mmlu has 5 worked examples, not 6 (0 to 5)"),
        ({"name": "mmlu", "split": "tests"}, "split: mmlu has no split 'tests' (did you mean 'test'?)"),
        ({"name": "gsm8k", "subsets": ["main"]}, "subsets: gsm8k has no subsets (leave it out)"),
        ({"name": "hellaswag", "num_fewshot": 3}, "num_fewshot: {data}/hellaswag: there are no files of 'train'"),
        ({"name": "arc", "subsets": ["ARC-Easy"]}, "subsets[0]: {data}/arc: there is no file of 'ARC-Easy' in split"),
        ({"name": "arc", "path": "/none/at/all"}, "path: /none/at/all: no such file or folder; expected ARC-Easy-Test"),
        ({"name": "gsm8k", "path": "{data}/arc"}, "path: {data}/arc: has no file of gsm8k's split 'test'; expected"),
        ({"name": "general_mcq"}, "path: general_mcq is made of your own files (give 'path'"),
    ],
)
def test_what_cannot_be_is_refused(
    task: NewTask, rows: Callable[[str], Path], dataset: dict[str, Any], expected: str
) -> None:
    data = str(rows("gsm8k").parent)
    filled = json.loads(json.dumps(dataset).replace("{data}", data))
    (found,) = problems(task(filled, data=data))
    assert found.startswith(f"datasets[0].{expected.replace('{data}', data)}")


def test_all_problems_are_told_at_once(task: NewTask) -> None:
    given = task(
        {"name": "gsm8k", "path": "/none"},
        {"name": "mmlu", "path": "/none", "split": "x"},
        options={"native": {"hubb": "modelscope", "score_timeout_s": 0}},
    )
    found = problems(given)
    assert len(found) == 4
    assert any("options.native.hubb: native has no such option (did you mean 'hub'?)" in problem for problem in found)
    assert any("options.native.score_timeout_s: input should be greater than 0" in problem for problem in found)


def test_without_files_and_library_it_says_what_to_do(task: NewTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_installed", lambda hub: False)
    (found,) = problems(task("gsm8k"))
    assert "give 'path' (or 'data', or BRIDGE_DATA) a folder with test.jsonl and train.jsonl" in found
    assert "pip install 'evalbridge[hub]'" in found
    monkeypatch.setattr(module, "is_installed", lambda hub: hub == "huggingface")
    assert problems(task("gsm8k", options={"native": {"hub": "huggingface"}})) == []


def test_unknown_subsets_of_own_files_are_refused(task: NewTask, mcq: Callable[..., Path]) -> None:
    folder = str(mcq(2, "law"))
    (found,) = problems(task({"name": "general_mcq", "path": folder, "subsets": ["lew"]}))
    assert "general_mcq has no subset 'lew' (did you mean 'law'?)" in found
    (found,) = problems(task({"name": "general_mcq", "path": folder, "num_fewshot": 1}))
    assert "there are no files of 'dev' to take worked examples from" in found


def test_every_field_reaches_the_job(task: NewTask) -> None:
    given = task(
        {"name": "mmlu", "alias": "x", "subsets": ["virology"], "split": "validation", "num_fewshot": 2, "repeats": 3},
        "gsm8k",
        limit=7,
        generation={
            "temperature": 0.5,
            "max_tokens": 9,
            "top_p": 0.9,
            "top_k": 5,
            "seed": 1,
            "stop": ["\n\n"],
            "extra_body": {"chat_template_kwargs": {"enable_thinking": False}},
        },
        data="/data",
        max_retries=2,
        request_timeout_s=3,
        options={"native": {"score_workers": 3, "score_timeout_s": 5, "hub": "huggingface"}},
    )
    found = job_json(given, Endpoint("http://u/v1", "m", served_model="m-123", identity="weights"))
    mmlu, gsm8k = found["datasets"]
    assert mmlu["request"] == {
        "temperature": 0.5,
        "max_tokens": 9,
        "top_p": 0.9,
        "top_k": 5,
        "seed": 1,
        "stop": ["\n\n"],
        "chat_template_kwargs": {"enable_thinking": False},
    }
    told = {name: mmlu[name] for name in ("id", "subsets", "split", "num_fewshot", "limit", "repeats", "hub")}
    assert told == {
        "id": "x",
        "subsets": ["virology"],
        "split": "validation",
        "num_fewshot": 2,
        "limit": 7,
        "repeats": 3,
        "hub": "huggingface",
    }
    assert (gsm8k["num_fewshot"], gsm8k["split"], gsm8k["repeats"]) == (4, "test", 1)
    assert (found["max_retries"], found["request_timeout_s"], found["concurrency"]) == (2, 3, 32)
    assert (found["served_model"], found["identity"], found["score_workers"]) == ("m-123", "weights", 3)
    unsupported = {f for f in features_used(given) if BACKEND.support[f].level in ("not yet", "never")}
    assert unsupported == set()


def test_a_benchmarks_own_limit_of_tokens_gives_way(task: NewTask) -> None:
    assert job_json(task("gsm8k"))["datasets"][0]["request"] == {"temperature": 0.0, "max_tokens": 2048}
    other = task("gsm8k", generation={"extra_body": {"max_completion_tokens": 5}})
    assert job_json(other)["datasets"][0]["request"] == {"temperature": 0.0, "max_completion_tokens": 5}


def test_keys_and_addresses_are_in_no_file(task: NewTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", "sk-secret")
    (job,) = BACKEND.translate(task("gsm8k"), Endpoint("http://user:pw@h/v1", "m", api_key_env="THE_KEY"))
    assert job.pass_env[:1] == ("THE_KEY",)
    assert "sk-secret" not in job.files["job.json"] + str(job.env)
    assert "user:pw" not in job.files["job.json"]
    assert job.env[BASE_URL_ENV] == "http://user:pw@h/v1"
    (job,) = BACKEND.translate(task("gsm8k"), Endpoint("http://h/v1", "m", api_key="token-of-this-run"))
    assert job.env[API_KEY_ENV] == "token-of-this-run"
    assert "token-of-this-run" not in job.files["job.json"]


def test_the_job_reads_back(task: NewTask, tmp_path: Path) -> None:
    (job,) = BACKEND.translate(task({"name": "arc", "subsets": ["ARC-Easy"], "path": "/a"}), ENDPOINT)
    path = tmp_path / "job.json"
    path.write_text(job.files["job.json"], encoding="utf-8")
    assert read_job(path).to_json() == job.files["job.json"]
    assert job.argv == ("python", "-m", "bridge.native", "job.json")
    assert job.env_spec.lock is None


def test_the_store_is_the_runs(task: NewTask) -> None:
    assert job_json(task("gsm8k"))["store"] == "../../requests.sqlite"
    from bridge.spec import TaskSpec

    models = [{"name": name, "endpoint": {"base_url": "http://h/v1"}} for name in ("m1", "m2")]
    spec = TaskSpec.model_validate({"models": models, "datasets": ["gsm8k"]})
    found = job_json(Task(spec, spec.models[1], spec.datasets, 4))
    assert (found["store"], found["traffic"]) == ("../../../requests.sqlite", "m2.native")


def test_translate_refuses_what_no_data_could_mend(task: NewTask) -> None:
    for dataset in ({"name": "mmlu", "num_fewshot": 9}, {"name": "mmlu", "subsets": ["x"]}, {"name": "nope"}):
        with pytest.raises(Unsupported):
            BACKEND.translate(task(dataset), ENDPOINT)
