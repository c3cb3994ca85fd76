"""The real ms-swift trains a tiny model, in full and as LoRA; bridge says whether it has learnt to add."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import bridge
from fault_server import FaultServer
from finetuned.fake_server import make_sums
from finetuned.real_training import BRIDGE, CALLBACK, FULL, LORA, make_base, train
from serve.live import processes
from server_thread import serving

pytestmark = pytest.mark.env


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real")


@pytest.fixture(scope="module")
def base(place: Path) -> Path:
    return make_base(place / "base")


@pytest.fixture(scope="module")
def full(place: Path, base: Path) -> Path:
    return train(base, place / "full", FULL)


@pytest.fixture(scope="module")
def lora(place: Path, base: Path) -> Path:
    return train(base, place / "lora", LORA)


@pytest.fixture(scope="module")
def sums(place: Path) -> Path:
    return make_sums(place / "sums", rows=100)


@pytest.fixture
def spec(tmp_path: Path, sums: Path) -> Path:
    return write_spec(tmp_path, [{"name": "general_qa", "backend": "native", "path": str(sums)}])


def write_spec(folder: Path, datasets: list[dict[str, str]]) -> Path:
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump({"datasets": datasets, "generation": {"max_tokens": 8}}), encoding="utf-8")
    return path


def comparisons(run: Path) -> list[dict[str, Any]]:
    found = json.loads((run / "finetuned.json").read_text(encoding="utf-8"))
    datasets: list[dict[str, Any]] = found["comparison"]["against"][0]["datasets"]
    return datasets


def assert_has_learnt(one: dict[str, Any]) -> None:
    assert (one["n"], one["verdict"]) == (100, "better")
    assert one["baseline"] <= 0.05
    assert one["candidate"] >= 0.8
    assert one["p_value"] < 0.001
    assert one["ci95"][0] > 0.7
    assert len(one["flips_gained"]) == 20


def test_full_weights_through_native_and_opencompass(tmp_path: Path, full: Path, sums: Path) -> None:
    datasets = [
        {"name": "general_qa", "alias": "sums", "backend": backend, "path": str(sums)}
        for backend in ("native", "opencompass")
    ]
    done = bridge("finetuned", full, "--spec", write_spec(tmp_path, datasets), "--output", tmp_path / "run", "--quiet")
    assert done.exit_code == 0, done.stderr
    found = comparisons(tmp_path / "run")
    assert [one["candidate_backend"] for one in found] == ["native", "opencompass"]
    for one in found:
        assert_has_learnt(one)


def test_lora(tmp_path: Path, lora: Path, spec: Path) -> None:
    done = bridge("finetuned", lora, "--spec", spec, "--metric", "exact_match", "--output", tmp_path / "run")
    assert done.exit_code == 0, done.stderr
    (one,) = comparisons(tmp_path / "run")
    assert one["test"] == "mcnemar-exact"
    assert_has_learnt(one)
    assert starts(tmp_path / "run") == 1, "base and adapter are served by one process"


def starts(run: Path) -> int:
    """Of servers."""
    logs = [log.read_text(encoding="utf-8") for log in (run / "serve").rglob("log.txt")]
    return sum(log.count("Uvicorn running on") for log in logs)


def test_nothing_that_args_json_names_is_executed(tmp_path: Path, base: Path, full: Path, spec: Path) -> None:
    """The control: without ``load_args`` off, ms-swift itself does run the plugin."""
    trap, mark = tmp_path / "trap.py", tmp_path / "executed"
    trap.write_text(f"open({str(mark)!r}, 'w').close()\n", encoding="utf-8")
    hostile = {"external_plugins": [str(trap)], "system": f"--external_plugins={trap}", "model_dir": str(base)}
    run = next(full.glob("v*"))
    for path in (run / "args.json", *run.glob("checkpoint-*/args.json")):
        path.write_text(json.dumps({**json.loads(path.read_text()), **hostile}), encoding="utf-8")

    def evaluate(*settings: str) -> int:
        where = tmp_path / f"run{len(settings)}"
        return bridge("finetuned", full, "--spec", spec, "--no-base", "--output", where, *settings).exit_code

    assert evaluate() == 0
    assert not mark.exists()
    evaluate("--set", "models[0].deploy.args.load_args=true")
    assert mark.exists()


def test_killed_in_the_middle_and_gone_on_with(tmp_path: Path, full: Path, spec: Path) -> None:
    run = tmp_path / "run"
    argv = [str(BRIDGE), "finetuned", str(full), "--spec", str(spec), "--output", str(run), "--quiet"]
    first = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 300
    while not (run / "samples" / "base").exists() and not _tuned_is_starting(run) and time.monotonic() < until:
        assert first.poll() is None
        time.sleep(0.1)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    until = time.monotonic() + 30
    while (left := processes(str(run))) and time.monotonic() < until:
        time.sleep(0.2)
    assert left == []
    assert bridge(*argv[1:]).exit_code == 0
    assert_has_learnt(comparisons(run)[0])


def _tuned_is_starting(run: Path) -> bool:
    return any(run.glob("serve/checkpoint-*"))


def test_a_training_that_is_watched(tmp_path: Path, base: Path, spec: Path) -> None:
    """The callback starts ``bridge watch``; three checkpoints, and their values in the training's own log."""
    env = {"BRIDGE_WATCH": f"{BRIDGE} --spec {spec} --no-base", "BRIDGE_WATCH_WAIT_S": "600"}
    out = train(base, tmp_path / "out", FULL, ["--external_plugins", str(CALLBACK), "--callbacks", "bridge"], env)
    run = next(out.glob("v*"))
    watched = json.loads((run / "bridge" / "watch.json").read_text(encoding="utf-8"))
    values = [(entry["step"], entry["metrics"]["general_qa"]) for entry in watched["entries"]]
    assert [step for step, _ in values] == [50, 100, 150]
    assert values[-1][1] >= 0.8
    assert watched["ended"] is True
    lines = [json.loads(line) for line in (run / "logging.jsonl").read_text(encoding="utf-8").splitlines()]
    logged = [(line["bridge/step"], line["bridge/general_qa"]) for line in lines if "bridge/step" in line]
    assert logged == values


def test_an_evaluation_that_fails_does_not_end_the_training(tmp_path: Path, base: Path) -> None:
    env = {"BRIDGE_WATCH": "/no/such/bridge --datasets gsm8k"}
    further = ["--external_plugins", str(CALLBACK), "--callbacks", "bridge", "--max_steps", "5"]
    out = train(base, tmp_path / "out", FULL, further, env)
    assert (next(out.glob("v*")) / "checkpoint-5").is_dir()


def judged_sums(prompt: str) -> str:
    """A judge that can add: by the question and the answers between their marks."""
    found = re.search(r"What is (\d)\+(\d)\?", prompt)
    assert found is not None
    right = str(int(found[1]) + int(found[2]))
    answers = re.findall(r"<answer[^>]*>\n(.*?)\n</answer", prompt, re.S)
    marks = [answer.strip() == right for answer in answers]
    if len(marks) == 1:
        return f"[[{10 if marks[0] else 1}]]"
    return "[[C]]" if marks[0] == marks[1] else "[[A]]" if marks[0] else "[[B]]"


def test_arena_of_base_and_tuned_in_all_modes(tmp_path: Path, base: Path, full: Path) -> None:
    """The answers are asked for once: another mode only asks the judge."""
    questions = [{"question_id": n, "turns": [f"What is {n // 10}+{n % 10}?"]} for n in range(0, 100, 4)]
    (tmp_path / "sums.jsonl").write_text("\n".join(map(json.dumps, questions)), encoding="utf-8")
    tuned = next(full.glob("v*/checkpoint-150"))
    models = [
        {"name": name, "deploy": {"path": str(path), "model_type": "qwen2", "template": "qwen"}}
        for name, path in (("base", base), ("tuned", tuned))
    ]
    modes = {
        "single": {"mode": "single"},
        "baseline": {"mode": "pairwise-baseline", "baseline": "base"},
        "all": {"mode": "pairwise-all"},
    }
    found = {}
    with serving(FaultServer(answer=judged_sums)) as judge:
        for name, block in modes.items():
            spec = {
                "models": models,
                "questions": "sums.jsonl",
                "generation": {"max_tokens": 8},
                "judge": {"name": "fault-model", "endpoint": {"base_url": judge.server.base_url}},
                "arena": block,
            }
            path = tmp_path / f"{name}.yaml"
            path.write_text(yaml.safe_dump(spec), encoding="utf-8")
            began = time.monotonic()
            done = bridge("arena", "run", path, "--output", tmp_path / "run", "--quiet")
            assert done.exit_code == 0, done.stderr
            report = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
            found[name] = {(row["metric"], row["model"]): row["value"] for row in report["results"]}
            print(name, f"{time.monotonic() - began:.1f} s", found[name])
            assert report["usage"]["failed"] == 0
    assert found["single"]["score", "tuned"] > 8 > 2 > found["single"]["score", "base"]
    assert found["baseline"]["win_rate", "tuned"] > 0.85
    assert found["all"]["rating", "tuned"] > found["all"]["rating", "base"]


def test_arena_of_a_base_and_its_adapter(tmp_path: Path, base: Path, lora: Path) -> None:
    questions = [{"question_id": n, "turns": [f"What is {n // 10}+{n % 10}?"]} for n in range(0, 100, 4)]
    (tmp_path / "sums.jsonl").write_text("\n".join(map(json.dumps, questions)), encoding="utf-8")
    deploy = {"path": str(base), "model_type": "qwen2", "template": "qwen"}
    adapters = [str(max(lora.glob("v*/checkpoint-*"), key=lambda folder: int(folder.name.partition("-")[2])))]
    with serving(FaultServer(answer=judged_sums)) as judge:
        spec = {
            "models": [
                {"name": "base", "deploy": deploy},
                {"name": "tuned", "deploy": {**deploy, "adapters": adapters}},
            ],
            "questions": "sums.jsonl",
            "generation": {"max_tokens": 8},
            "judge": {"name": "fault-model", "endpoint": {"base_url": judge.server.base_url}},
            "arena": {"mode": "single"},
        }
        (tmp_path / "arena.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
        done = bridge("arena", "run", tmp_path / "arena.yaml", "--output", tmp_path / "run", "--quiet")
    assert done.exit_code == 0, done.stderr
    report = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    found = {row["model"]: row["value"] for row in report["results"] if row["metric"] == "score"}
    assert found["tuned"] > 8 > 2 > found["base"]
    assert starts(tmp_path / "run") == 1, "by one process"
