"""``model.deploy`` in ms-swift's words, and what is wrong with it before anything starts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from serve.live import deployed

from bridge.errors import SpecError
from bridge.runs import prepare
from bridge.serve import check, describe, environment_of, swift
from bridge.serve.misread import misread
from bridge.spec import DeploySpec, ModelSpec, TaskSpec


def test_the_command_line(weights: Path, adapter: Path) -> None:
    deploy = DeploySpec(
        path=str(weights),
        model_type="qwen2",
        template="qwen",
        adapters=(str(adapter),),
        args={
            "infer_backend": "transformers",
            "--max-model-len": 512,
            "stop_words": ["a", "b"],
            "model_kwargs": {"x": 1},
        },
    )
    settings = swift.arguments(deploy, path=str(weights), adapters=[str(adapter)], concurrency=16)
    line = swift.command_line(swift.program(deploy, Path("/env/bin/python")), settings, port=1234, served_name="tiny-1")
    assert line == (
        *("/env/bin/python", "-m", "swift.cli.deploy", "--model", str(weights), "--model_type", "qwen2"),
        *("--template", "qwen", "--adapters", str(adapter), "--load_args", "false", "--log_interval", "-1"),
        *("--verbose", "false", "--max_batch_size", "16", "--infer_backend", "transformers", "--max_model_len", "512"),
        *("--stop_words", "a", "b", "--model_kwargs", '{"x": 1}'),
        *("--host", "127.0.0.1", "--port", "1234", "--served_model_name", "tiny-1"),
    )


@pytest.mark.parametrize(
    ("args", "concurrency", "expected"),
    [
        ({}, 8, 8),
        ({}, 4096, swift.MAX_BATCH),
        ({"max_batch_size": 3}, 8, 3),
        ({"infer_backend": "vllm"}, 8, None),
    ],
)
def test_the_batch_follows_the_runs_concurrency(
    weights: Path, args: dict[str, Any], concurrency: int, expected: int | None
) -> None:
    deploy = DeploySpec(path=str(weights), args=args)
    settings = swift.arguments(deploy, path=str(weights), adapters=[], concurrency=concurrency)
    assert settings.get("max_batch_size") == expected
    assert not settings.keys() & {"model_type", "template", "adapters"}


def test_of_a_trainings_arguments_two_are_taken_over_and_nothing_else(weights: Path) -> None:
    said = {"model_type": "qwen3", "template": "qwen3", "external_plugins": ["evil.py"], "port": 1}
    (weights / "args.json").write_text(json.dumps(said), encoding="utf-8")
    settings = swift.arguments(DeploySpec(path=str(weights)), path=str(weights), adapters=[], concurrency=1)
    assert (settings["model_type"], settings["template"], settings["load_args"]) == ("qwen3", "qwen3", False)
    assert not settings.keys() & {"external_plugins", "port"}
    mine = DeploySpec(path=str(weights), template="mine")
    assert swift.arguments(mine, path=str(weights), adapters=[], concurrency=1)["template"] == "mine"


@pytest.mark.parametrize("text", ["{", "[1]", '{"model_type": "--host"}', '{"model_type": 3, "template": null}'])
def test_a_trainings_arguments_that_make_no_sense_say_nothing(weights: Path, text: str) -> None:
    (weights / "args.json").write_text(text, encoding="utf-8")
    settings = swift.arguments(DeploySpec(path=str(weights)), path=str(weights), adapters=[], concurrency=1)
    assert not settings.keys() & {"model_type", "template"}


def test_the_servers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VALUE", "v")
    monkeypatch.setenv("HF_TOKEN", "t")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    deploy = DeploySpec(path="a/b", env={"MINE": "${SOME_VALUE}", "TOKENIZERS_PARALLELISM": "true"})
    local, fetched = swift.environment(deploy, local=True), swift.environment(deploy, local=False)
    assert (local["MINE"], local["HF_TOKEN"], local["TOKENIZERS_PARALLELISM"]) == ("v", "t", "true")
    assert (local["HF_HUB_OFFLINE"], "HF_HUB_OFFLINE" in fetched) == ("1", "HF_HUB_OFFLINE" in os.environ)
    assert local["OMP_NUM_THREADS"] == str(len(os.sched_getaffinity(0)))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert swift.environment(deploy, local=True)["OMP_NUM_THREADS"] == "3"


def test_the_identity_is_the_models_not_the_starts(weights: Path, adapter: Path) -> None:
    def identity(env: dict[str, str] | None = None, concurrency: int = 4, **fields: Any) -> str:
        deploy = DeploySpec(path=str(weights), **fields)
        settings = swift.arguments(deploy, path=str(weights), adapters=deploy.adapters, concurrency=concurrency)
        return swift.identity(settings, env or {})

    first = identity()
    assert identity() == first
    assert identity(concurrency=9) == first
    others = [identity(template="qwen"), identity(args={"max_length": 9}), identity({"A": "1"})]
    others.append(identity(adapters=(str(adapter),)))
    (weights / "model.safetensors").write_text("other weights", encoding="utf-8")
    others.append(identity())
    assert len({first, *others}) == 6


def test_what_the_report_says(weights: Path) -> None:
    info = describe(deployed(weights, adapters=("./a",), args={"infer_backend": "vllm", "model_revision": "v2"}))
    assert (info.name, info.source, info.engine) == ("tiny model", str(weights), "swift 4.6.0 (vllm)")
    assert (info.adapters, info.revision) == (("./a",), "v2")
    assert environment_of(deployed(weights)).name == "swift"


def test_the_lock_is_whole() -> None:
    lines = swift.ENV.lock.read_text(encoding="utf-8").splitlines()  # type: ignore[union-attr]
    pins = [line for line in lines if line and not line.startswith("#")]
    assert f"ms-swift=={swift.VERSION}" in pins
    assert "# resolve: torch" in lines
    assert all(line.count("==") == 1 for line in pins)
    assert len({line.partition("==")[0] for line in pins}) == len(pins)


# Checks before the run -------------------------------------------------------------------------------------------


def problems(model: ModelSpec) -> list[str]:
    return [str(problem) for problem in check(model, field="models[1]")]


def test_a_model_that_is_there(weights: Path, adapter: Path) -> None:
    assert problems(deployed(weights, adapters=(str(adapter),), args={"infer_backend": "transformers"})) == []
    assert problems(deployed("Qwen/Qwen3-0.6B")) == []


@pytest.mark.parametrize("path", ["./gone", "/no/such/folder", "~/gone-too", "justaname", "a/b/c"])
def test_a_folder_that_is_not_there(path: str) -> None:
    assert problems(deployed(path)) == [
        f"models[1].deploy.path: there is no folder {path} (give a folder with the weights, or a hub's id (org/name))"
    ]


def test_folders_that_hold_something_else(tmp_path: Path, weights: Path, adapter: Path) -> None:
    assert problems(deployed(tmp_path)) == [
        f"models[1].deploy.path: {tmp_path} is no model's folder: it holds no config.json"
    ]
    assert "it is a LoRA adapter: give its base as deploy.path" in problems(deployed(adapter))[0]
    assert problems(deployed(weights, adapters=(str(weights),)))[0].startswith(
        f"models[1].deploy.adapters[0]: {weights} is no model's folder: it holds no adapter_config.json"
    )
    (weights / "model.safetensors").unlink()
    assert "holds no weights (*.safetensors or *.bin) (is it complete?)" in problems(deployed(weights))[0]


def test_a_trainings_output_folder(tmp_path: Path) -> None:
    for age, name in enumerate(("checkpoint-30", "checkpoint-20")):
        folder = tmp_path / "v0-20261101" / name
        folder.mkdir(parents=True)
        os.utime(folder, (1000 - age, 1000 - age))
    assert problems(deployed(tmp_path))[0].endswith("(did you mean its v0-20261101/checkpoint-30?)")
    assert problems(deployed(tmp_path / "v0-20261101"))[0].endswith("(did you mean its checkpoint-30?)")


def test_arguments_that_are_bridges_own(weights: Path) -> None:
    found = problems(deployed(weights, args={"port": 1, "--model-type": "x", "bad name": 1, "seed": None}))
    assert found == [
        "models[1].deploy.args.port: bridge sets this itself (leave it out)",
        "models[1].deploy.args.--model-type: bridge sets this itself (use deploy.model_type)",
        "models[1].deploy.args.bad name: is no name of an argument: letters, digits and _ only",
        "models[1].deploy.args.seed: has no value (leave it out)",
    ]


def test_a_variable_that_is_not_set() -> None:
    assert "this environment variable is not set" in problems(deployed("${NO_SUCH_VARIABLE}/x"))[0]


# Settings that it takes and does nothing about -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("generation", "told"),
    [
        ({"seed": 1, "temperature": 0.5}, "generation.seed: ms-swift's transformers backend takes a seed"),
        ({"seed": 1}, ""),
        (
            {"extra_body": {"response_format": {"type": "json_object"}}},
            "generation.extra_body.response_format: ms-swift",
        ),
        ({"stop": ["x"], "extra_body": {"max_completion_tokens": 5}}, ""),
    ],
)
def test_what_a_score_must_not_rest_on(weights: Path, generation: dict[str, Any], told: str) -> None:
    spec = TaskSpec(model=deployed(weights), datasets=("gsm8k",), generation=generation)  # type: ignore[arg-type]
    found = [str(problem) for problem in misread(deployed(weights), spec)]
    assert [one for one in found if one.startswith(told)] == found if told else found == []
    assert len(found) == bool(told)
    own = TaskSpec(model=deployed(weights), datasets=({"name": "gsm8k", "generation": generation},))  # type: ignore[arg-type]
    assert [str(problem) for problem in misread(deployed(weights), own)] == [f"datasets[0].{one}" for one in found]


def test_a_seed_that_vllm_heeds(weights: Path) -> None:
    model = deployed(weights, command=("python",), args={"infer_backend": "vllm"})
    spec = TaskSpec(model=model, datasets=("gsm8k",), generation={"seed": 1, "temperature": 1})  # type: ignore[arg-type]
    assert list(misread(model, spec)) == []


def test_a_judge_is_checked_too(weights: Path) -> None:
    there = {"name": "m", "endpoint": {"base_url": "http://127.0.0.1:9/v1"}}
    judge = {"name": "j", "local": {"path": str(weights)}}
    spec = TaskSpec.model_validate({"model": there, "judge": judge, "datasets": ["gsm8k"]})
    with pytest.raises(SpecError, match=r"judge\.local: a judge answers in text"):
        prepare(spec)
