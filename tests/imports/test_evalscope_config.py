"""EvalScope tasks of all kinds, as their users have them: what becomes of every key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import bridge

from bridge.errors import SpecError
from bridge.imports.evalscope_config import convert
from bridge.spec_file import load_spec, spec_from_mapping

NOW = {
    "model": "qwen-plus",
    "api_url": "https://example.org/v1/chat/completions",
    "api_key": "sk-secret",
    "eval_type": "openai_api",
    "datasets": ["gsm8k", "arc"],
    "dataset_args": {
        "gsm8k": {
            "few_shot_num": 4,
            "subset_list": ["main"],
            "eval_split": "test",
            "local_path": "data/gsm8k",
            "prompt_template": "Q: {question}",
            "filters": {"remove_until": "</think>"},
            "few_shot_random": False,
            "description": "long",
            "tags": ["Math"],
        },
        "arc": {"dataset_id": "hub/arc"},
    },
    "generation_config": {
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 20,
        "max_tokens": 512,
        "seed": 1,
        "n": 2,
        "timeout": 60,
        "stop_seqs": ["\n\n"],
        "repetition_penalty": 1.1,
        "extra_body": {"a": 1},
        "stream": True,
        "retries": 5,
    },
    "limit": 10,
    "eval_batch_size": 16,
    "judge": {
        "strategy": "llm",
        "models": [{"model_id": "gpt", "api_url": "https://judge.org/v1", "api_key": "sk-judge", "temperature": 0}],
        "contract": {"score_type": "numeric"},
    },
    "use_cache": "outputs/x",
    "work_dir": "out",
    "dataset_hub": "modelscope",
    "sandbox": {"enabled": True, "token": "sk-third"},
    "debug": False,
}


def keys(left_out: list[str]) -> set[str]:
    return {line.partition(": ")[0] for line in left_out}


def test_a_native_task_of_now() -> None:
    made = convert(NOW)
    spec = spec_from_mapping(made.spec, folder=Path("/work"))
    assert spec.model is not None and spec.model.endpoint is not None
    assert (spec.model.name, spec.model.endpoint.base_url) == ("qwen-plus", "https://example.org/v1")
    assert spec.model.endpoint.api_key_env == "OPENAI_API_KEY"
    gsm8k, arc = spec.datasets
    assert (gsm8k.num_fewshot, gsm8k.subsets, gsm8k.split, gsm8k.path) == (4, ("main",), "test", "/work/data/gsm8k")
    assert (arc.name, arc.path) == ("arc", None)
    generation = spec.generation
    assert (generation.temperature, generation.top_p, generation.top_k, generation.max_tokens) == (0.7, 0.9, 20, 512)
    assert (generation.seed, generation.stop) == (1, ("\n\n",))
    assert generation.extra_body == {"a": 1, "repetition_penalty": 1.1}
    assert (spec.limit, spec.repeats, spec.concurrency, spec.request_timeout_s) == (10, 2, 16, 60.0)
    assert spec.judge is not None and spec.judge.endpoint is not None
    assert (spec.judge.name, spec.judge.endpoint.api_key_env) == ("gpt", "JUDGE_API_KEY")


def test_every_key_that_is_not_carried_is_named_and_no_secret_is() -> None:
    made = convert(NOW)
    assert keys(made.left_out) == {
        *("api_key", "dataset_args.gsm8k.prompt_template", "dataset_args.gsm8k.filters", "dataset_args.arc.dataset_id"),
        *("generation_config.stream", "generation_config.retries", "judge.contract", "judge.models[0].api_key"),
        *("judge.models[0].temperature", "use_cache", "work_dir", "sandbox"),
    }
    told = json.dumps([made.spec, made.left_out])
    assert "sk-secret" not in told and "sk-judge" not in told


def test_no_key_of_a_task_is_lost() -> None:
    """Each leaf is in the spec, is named, or says nothing."""
    named = {
        **NOW,
        "unheard_of": {"x": 1},
        "dataset_args": {"gsm8k": {"unheard": 1}},
        "generation_config": {"unheard": 2},
    }
    left = keys(convert(named).left_out)
    assert {"unheard_of", "dataset_args.gsm8k.unheard", "generation_config.unheard"} <= left


def test_a_native_task_of_2024_with_weights() -> None:
    made = convert(
        {
            "model": "qwen/Qwen2-0.5B-Instruct",
            "model_args": {"revision": "v1.0.0", "precision": "torch.float16", "device_map": "auto"},
            "generation_config": {"do_sample": False, "temperature": 0.3, "max_new_tokens": 512, "num_beams": 1},
            "datasets": "gsm8k arc",
            "limit": 0.1,
            "outputs": "out",
            "use_cache": False,
            "stage": "all",
            "dry_run": False,
        }
    )
    assert made.spec["model"] == {
        "name": "Qwen2-0.5B-Instruct",
        "deploy": {"engine": "swift", "path": "qwen/Qwen2-0.5B-Instruct"},
    }
    assert made.spec["generation"] == {"temperature": 0.0, "max_tokens": 512}
    assert [one["name"] for one in made.spec["datasets"]] == ["gsm8k", "arc"]
    assert keys(made.left_out) == {
        *("model_args.revision", "generation_config.temperature", "generation_config.num_beams", "limit", "outputs"),
    }


def test_an_opencompass_task() -> None:
    made = convert(
        {
            "eval_backend": "OpenCompass",
            "eval_config": {
                "datasets": ["mmlu", {"name": "gsm8k"}],
                "models": [
                    {
                        "path": "llama3",
                        "openai_api_base": "http://x:8000/v1/chat/completions",
                        "is_chat": True,
                        "batch_size": 8,
                        "temperature": 0.0,
                    }
                ],
                "work_dir": "out",
                "limit": 5,
                "accelerator": "vllm",
            },
        }
    )
    spec = spec_from_mapping(made.spec)
    assert (spec.backend, [one.name for one in spec.datasets], spec.limit, spec.concurrency) == (
        "opencompass",
        ["mmlu", "gsm8k"],
        5,
        8,
    )
    assert spec.model is not None and spec.model.endpoint is not None
    assert (spec.model.name, spec.model.endpoint.base_url) == ("llama3", "http://x:8000/v1")
    assert keys(made.left_out) == {"eval_config.work_dir", "eval_config.accelerator", "eval_config.models[0].is_chat"}


def test_a_vlmevalkit_task_with_a_judge() -> None:
    made = convert(
        {
            "eval_backend": "VLMEvalKit",
            "eval_config": {
                "model": [
                    {
                        "type": "qwen-vl-chat",
                        "name": "CustomAPIModel",
                        "api_base": "http://x/v1/chat/completions",
                        "key": "EMPTY",
                        "temperature": 0.0,
                        "img_size": -1,
                    }
                ],
                "data": ["MMStar", "POPE"],
                "mode": "all",
                "limit": 10,
                "nproc": 4,
                "OPENAI_API_KEY": "sk-j",
                "OPENAI_API_BASE": "http://j/v1/chat/completions",
                "LOCAL_LLM": "qwen2-7b",
            },
        }
    )
    spec = spec_from_mapping(made.spec)
    assert (spec.backend, [one.name for one in spec.datasets], spec.concurrency) == (
        "vlmevalkit",
        ["MMStar", "POPE"],
        4,
    )
    assert spec.model is not None and spec.model.name == "qwen-vl-chat"
    assert spec.judge is not None and spec.judge.endpoint is not None and spec.judge.endpoint.base_url == "http://j/v1"
    assert keys(made.left_out) == {"eval_config.mode", "eval_config.OPENAI_API_KEY", "eval_config.model[0].img_size"}


def test_a_longbench_write_task() -> None:
    made = convert(
        {
            "stage": ["infer", "eval_l", "eval_q"],
            "model": "LongWriter",
            "input_data_path": None,
            "output_dir": "out",
            "infer_config": {
                "openai_api_base": "http://x/v1/chat/completions",
                "is_chat": True,
                "generation_kwargs": {"max_new_tokens": 32768, "temperature": 0.5},
                "proc_num": 16,
            },
            "eval_config": {
                "openai_api_base": "http://j/v1",
                "openai_api_key": "sk",
                "openai_gpt_model": "gpt-4o",
                "proc_num": 8,
            },
        }
    )
    spec = spec_from_mapping(made.spec)
    assert (spec.backend, spec.generation.max_tokens, spec.concurrency) == ("longbench_write", 32768, 16)
    assert spec.judge is not None and spec.judge.name == "gpt-4o"
    assert "eval_config.proc_num" in keys(made.left_out)


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ({}, "the task names no model"),
        ({"model": "m", "api_url": "http://x/v1"}, "the task names no dataset"),
        ({"eval_backend": "RAGEval", "eval_config": {}}, "tasks of RAGEval cannot be carried over"),
        ({"eval_backend": "OpenCompass", "eval_config": "x.yaml"}, "a mapping is needed"),
        ({"eval_backend": "OpenCompass", "eval_config": {"models": [{"path": "x"}], "datasets": ["a"]}}, "no endpoint"),
    ],
)
def test_tasks_that_cannot_be_carried_over(task: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        convert(task)


def test_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "task.json").write_text(json.dumps(NOW))
    done = bridge("import", "evalscope-config", tmp_path / "task.json", "-o", tmp_path / "spec.yaml")
    assert (done.exit_code, done.stdout.strip()) == (0, str(tmp_path / "spec.yaml"))
    assert (
        "bridge: not carried over: dataset_args.gsm8k.prompt_template: there is no place for it (Q: {question})"
        in done.stderr
    )
    assert load_spec(tmp_path / "spec.yaml").datasets[0].name == "gsm8k"
    assert bridge("import", "evalscope-config", tmp_path / "task.json", "-o", tmp_path / "spec.yaml").exit_code == 2
    printed = bridge("import", "evalscope-config", tmp_path / "task.json")
    assert printed.stdout == (tmp_path / "spec.yaml").read_text()
    (tmp_path / "bad.yaml").write_text("[1, 2")
    assert "is not YAML or JSON" in bridge("import", "evalscope-config", tmp_path / "bad.yaml").stderr
    (tmp_path / "list.yaml").write_text("- 1\n")
    assert "a mapping is needed" in bridge("import", "evalscope-config", tmp_path / "list.yaml").stderr
