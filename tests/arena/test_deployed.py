"""Contestants and judges that bridge serves itself: one after the other, each only when there is something to ask."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from arena.arenas import judge, report_of, rows_of, write_lines
from arena.test_run import arena, ratings
from command import bridge as shell
from fault_server import FaultServer
from finetuned.fake_server import starts, write_fake_server
from finetuned.test_real_swift import judged_sums
from finetuned.trainings import make_base

import bridge.arena.clients
from bridge.backend import EnvSpec
from bridge.envs import ensure


@pytest.fixture
def swift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the made-up ms-swift, in place of the environment with the real one."""

    async def made_up(spec: EnvSpec, **settings: object) -> Path:
        return Path(sys.executable) if spec.name == "swift" else await ensure(spec)

    monkeypatch.setattr(bridge.arena.clients, "ensure", made_up)
    return write_fake_server(tmp_path / "server")


def weights(folder: Path, knows: int, swift: Path) -> dict[str, Any]:
    """A model that knows so many sums; question 34 is 3+4."""
    (make_base(folder) / "knows.json").write_text(json.dumps(knows), encoding="utf-8")
    return {"name": folder.name, "deploy": {"path": str(folder), "env": {"PYTHONPATH": str(swift)}}}


def write(tmp_path: Path, models: list[dict[str, Any]], judge: dict[str, Any]) -> Path:
    rows = [{"question_id": n, "turns": [f"What is {n // 10}+{n % 10}?"]} for n in range(0, 60, 5)]
    spec = {
        "models": models,
        "questions": str(write_lines(tmp_path / "q.jsonl", rows)),
        "judge": judge,
        "arena": {"mode": "pairwise-all"},
    }
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(spec), encoding="utf-8")
    return path


def test_two_deployments(tmp_path: Path, swift: Path, server: FaultServer) -> None:
    server.answer = judged_sums
    models = [weights(tmp_path / "tuned", 50, swift), weights(tmp_path / "base", 20, swift)]
    spec, run = write(tmp_path, models, judge("judge", server.base_url)), tmp_path / "run"
    done = arena(spec, run)
    assert done.exit_code == 0, done.stderr
    assert ratings(run)["tuned"] > ratings(run)["base"]
    assert [start["folder"] for start in starts(swift)] == ["tuned", "base"]
    assert arena(spec, run).exit_code == 0
    assert len(starts(swift)) == 2, "nothing is served where nothing is asked"
    (tmp_path / "base" / "knows.json").write_text("50", encoding="utf-8")
    os.utime(make_base(tmp_path / "base") / "model.safetensors", (1, 1))
    assert arena(spec, run).exit_code == 0
    assert [start["folder"] for start in starts(swift)] == ["tuned", "base", "base"], "other weights, other answers"
    assert ratings(run)["tuned"] == ratings(run)["base"]
    assert all(one["engine"].startswith("swift ") for one in report_of(run)["models"])


def test_a_judge_that_is_deployed_and_no_judge(tmp_path: Path, swift: Path, server: FaultServer) -> None:
    """It says a number where a verdict is asked for: unparsed, each one."""
    models = [weights(tmp_path / "tuned", 60, swift), weights(tmp_path / "base", 0, swift)]
    run = tmp_path / "run"
    assert arena(write(tmp_path, models, weights(tmp_path / "judge", 99, swift)), run).exit_code == 5
    assert {row["error"]["kind"] for row in rows_of(run)} == {"unparsed"}
    assert [start["folder"] for start in starts(swift)] == ["tuned", "base", "judge"]


def test_a_deployment_that_dies_at_its_start(tmp_path: Path, swift: Path, server: FaultServer) -> None:
    (swift / "swift" / "cli" / "dies").touch()
    models = [weights(tmp_path / "tuned", 50, swift), weights(tmp_path / "base", 20, swift)]
    run = tmp_path / "run"
    assert arena(write(tmp_path, models, judge("judge", server.base_url)), run).exit_code == 4
    assert any("CUDA out of memory" in str(error) for error in report_of(run)["errors"])
    assert {row["error"]["kind"] for row in rows_of(run)} == {"no_answer"}


def test_weights_that_are_not_there_are_told_before_anything_starts(tmp_path: Path, swift: Path) -> None:
    models = [weights(tmp_path / "tuned", 50, swift), {"name": "gone", "deploy": {"path": "./gone"}}]
    done = arena(write(tmp_path, models, judge("judge", "http://127.0.0.1:9/v1")), tmp_path / "run")
    assert (done.exit_code, "models[1].deploy.path" in done.stderr) == (2, True)
    assert starts(swift) == []


def adapted(base: dict[str, Any], folder: Path, knows: int) -> dict[str, Any]:
    """A LoRA adapter of that base."""
    folder.mkdir()
    for name, text in (("adapter_config.json", "{}"), ("adapter_model.safetensors", "x"), ("knows.json", str(knows))):
        (folder / name).write_text(text, encoding="utf-8")
    return {"name": folder.name, "deploy": {**base["deploy"], "adapters": [str(folder)]}}


def test_a_base_and_its_adapters_are_served_by_one_process(tmp_path: Path, swift: Path, server: FaultServer) -> None:
    server.answer = judged_sums
    base = weights(tmp_path / "base", 20, swift)
    models = [base, adapted(base, tmp_path / "one", 50), adapted(base, tmp_path / "two", 35)]
    spec, run = write(tmp_path, models, judge("judge", server.base_url)), tmp_path / "run"
    done = arena(spec, run)
    assert done.exit_code == 0, done.stderr
    assert [(start["folder"], start.get("beside")) for start in starts(swift)] == [("base", ["one", "two"])]
    assert ratings(run)["one"] > ratings(run)["two"] > ratings(run)["base"]
    models.append(adapted(base, tmp_path / "three", 60))
    assert arena(write(tmp_path, models, judge("judge", server.base_url)), run).exit_code == 0
    assert [start["folder"] for start in starts(swift)] == ["base", "three"], "the others have answered before"


def test_adapters_that_one_process_does_not_take_are_served_one_by_one(
    tmp_path: Path, swift: Path, server: FaultServer
) -> None:
    server.answer = judged_sums
    (swift / "swift" / "cli" / "dies-with-several").touch()
    base = weights(tmp_path / "base", 20, swift)
    models = [base, adapted(base, tmp_path / "one", 50)]
    run = tmp_path / "run"
    done = shell("arena", "run", write(tmp_path, models, judge("judge", server.base_url)), "--output", run)
    assert done.exit_code == 0, done.stderr
    assert "not together, so one by one" in done.stderr
    assert [start["folder"] for start in starts(swift)] == ["base", "one"]
