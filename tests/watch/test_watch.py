"""``bridge watch`` beside a training that goes on; the training and the model's server are made up."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from command import Done, bridge
from finetuned.fake_server import starts
from finetuned.trainings import age, make_base, make_checkpoint, make_training

from bridge.watch import due, loop


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "POLL_S", 0.05)
    monkeypatch.setattr(due, "SETTLED_S", 0.1)


def watch(out: Path, spec: Path, server: Path, *arguments: object) -> Done:
    env = f"models[0].deploy.env={{PYTHONPATH: '{server}'}}"
    return bridge("watch", out, "--spec", spec, "--set", env, *arguments)


def watched(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "bridge" / "watch.json").read_text(encoding="utf-8"))
    return found


def values(run: Path) -> list[tuple[int, float | None]]:
    return [(entry["step"], entry["metrics"].get("sums")) for entry in watched(run)["entries"]]


def test_a_training_that_is_over(tmp_path: Path, server: Path, spec: Path) -> None:
    run = make_training(tmp_path / "out", knows={10: 6, 20: 60})
    done = watch(tmp_path / "out", spec, server)
    assert done.exit_code == 0, done.stderr
    assert [start["folder"] for start in starts(server)] == ["base-model", "checkpoint-10", "checkpoint-20"]
    assert values(run) == [(0, 0.0), (10, pytest.approx(0.1)), (20, 1.0)]
    assert watched(run)["ended"] is True
    assert "checkpoint-10: complete: sums 0.1" in done.stdout
    found = json.loads((run / "bridge" / "finetuned.json").read_text(encoding="utf-8"))
    assert [against["datasets"][0]["gained"] for against in found["comparison"]["against"]] == [6, 60]
    assert [point["step"] for point in found["curves"][0]["points"]] == [0, 10, 20]

    before = starts(server)
    assert watch(tmp_path / "out", spec, server).exit_code == 0
    assert starts(server) == before
    assert values(run) == [(0, 0.0), (10, pytest.approx(0.1)), (20, 1.0)]


def test_checkpoints_that_appear_while_it_watches(tmp_path: Path, server: Path, spec: Path) -> None:
    """One is there, one is written slowly, one is deleted early; then the training ends."""
    run = make_training(tmp_path / "out", knows={10: 6}, ended=False)
    base = tmp_path / "base-model"

    def train() -> None:
        until = time.monotonic() + 60
        while len(starts(server)) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        made = make_checkpoint(tmp_path / "aside" / "checkpoint-20", kind="lora", base=base, knows=30)
        state = made / "trainer_state.json"
        kept = state.read_bytes()
        state.unlink()
        shutil.copytree(made, run / "checkpoint-20")
        time.sleep(0.5)
        assert len(starts(server)) == 2  # half-written: not taken
        (run / "checkpoint-20" / "trainer_state.json").write_bytes(kept)
        summary = {"last_model_checkpoint": "/x/checkpoint-20", "best_model_checkpoint": None}
        (run / "logging.jsonl").write_text(json.dumps(summary) + "\n", encoding="utf-8")

    trainer = threading.Thread(target=train)
    trainer.start()
    done = watch(tmp_path / "out", spec, server)
    trainer.join()
    assert done.exit_code == 0, done.stderr
    assert values(run) == [(0, 0.0), (10, pytest.approx(0.1)), (20, pytest.approx(0.5))]


def test_a_failed_evaluation_does_not_end_the_watch(tmp_path: Path, server: Path, spec: Path) -> None:
    run = make_training(tmp_path / "out", kind="full", knows={10: 6, 20: 60})
    dies = server / "swift" / "cli" / "dies"
    dies.write_text("", encoding="utf-8")
    done = watch(tmp_path / "out", spec, server)
    assert done.exit_code == 4
    assert [entry["status"] for entry in watched(run)["entries"]] == ["failed"] * 3
    assert "out of memory" in watched(run)["entries"][1]["reason"]
    dies.unlink()
    assert watch(tmp_path / "out", spec, server).exit_code == 0
    assert values(run) == [(0, 0.0), (10, pytest.approx(0.1)), (20, 1.0)]


def test_at_the_end_only_the_last(tmp_path: Path, server: Path, spec: Path) -> None:
    run = make_training(tmp_path / "out", knows={10: 6, 20: 60})
    assert watch(tmp_path / "out", spec, server, "--at-end", "--no-base").exit_code == 0
    assert values(run) == [(20, 1.0)]


def test_a_training_that_died_is_given_up(tmp_path: Path, server: Path, spec: Path) -> None:
    run = make_training(tmp_path / "out", knows={10: 6}, ended=False)
    age(run, 500)
    assert watch(tmp_path / "out", spec, server, "--no-base", "--give-up-s", "400").exit_code == 0
    assert values(run) == [(10, pytest.approx(0.1))]


def test_a_wrong_spec_is_said_at_once(tmp_path: Path, server: Path, spec: Path) -> None:
    make_training(tmp_path / "out")
    spec.write_text(spec.read_text().replace("general_qa", "general_qq"))
    done = watch(tmp_path / "out", spec, server)
    assert done.exit_code == 2
    assert "general_qq" in done.stderr


def test_no_training_comes(tmp_path: Path, server: Path, spec: Path) -> None:
    done = watch(tmp_path / "out", spec, server, "--give-up-s", "0.2")
    assert done.exit_code == 2
    assert "there is no such folder" in done.stderr


def test_transformers_own_trainer_leaves_no_arguments(tmp_path: Path, server: Path, spec: Path) -> None:
    base = make_base(tmp_path / "base")
    for step in (10, 20):
        make_checkpoint(tmp_path / "out" / f"checkpoint-{step}", kind="lora", base=base, knows=3 * step)
    done = watch(tmp_path / "out", spec, server, "--give-up-s", "0", *("--set", "models[0].deploy.model_type=qwen2"))
    assert done.exit_code == 0, done.stderr
    assert values(tmp_path / "out") == [(0, 0.0), (10, pytest.approx(0.5)), (20, 1.0)]
