"""The callback in the real transformers' Trainer: values of each checkpoint, in TensorBoard."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from oracle_env import oracle

from bridge.process import clean_env

HERE = Path(__file__).parent
CALLBACK = HERE.parents[1] / "bridge" / "watch" / "trainer_callback.py"
BRIDGE = """
import json, pathlib, sys
words = sys.argv[1:]
assert words[0] == "watch" and "--until-stdin-closes" in words, words
training = pathlib.Path(words[1])
output = pathlib.Path(words[words.index("--output") + 1])
sys.stdin.read()
whole = [path.parent for path in training.glob("checkpoint-*/trainer_state.json")]
steps = sorted(int(path.name.split("-")[1]) for path in whole)
entries = [{"name": f"checkpoint-{step}", "step": step, "metrics": {"sums": step / 100}} for step in steps]
(output / "aside").write_text(json.dumps({"entries": entries}))
(output / "aside").rename(output / "watch.json")
"""
FAILS = "import sys; sys.exit(5)"


def trained(folder: Path, bridge: str) -> tuple[dict[str, Any], str]:
    program = folder / "bridge.py"
    program.write_text(bridge, encoding="utf-8")
    argv = [str(oracle("trainer", "transformers, tensorboard")), str(HERE / "real_trainer.py"), str(CALLBACK)]
    env = clean_env({"OMP_NUM_THREADS": "1"})
    done = subprocess.run(
        [*argv, str(program), str(folder / "out")], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found, done.stderr


@pytest.mark.env
def test_values_of_every_checkpoint_are_in_tensorboard(tmp_path: Path) -> None:
    found, _ = trained(tmp_path, BRIDGE)
    assert found["steps"] == 6
    assert found["tensorboard"]["train/bridge/sums"] == [[2, 0.02], [4, 0.04], [6, 0.06]]
    assert len(found["tensorboard"]["train/loss"]) >= 6
    history = [(entry["bridge/step"], entry["bridge/sums"]) for entry in found["history"]]
    assert history == [(2, 0.02), (4, 0.04), (6, 0.06)]


@pytest.mark.env
def test_an_evaluation_that_fails_leaves_the_training_alone(tmp_path: Path) -> None:
    found, said = trained(tmp_path, FAILS)
    assert found["steps"] == 6
    assert found["history"] == []
    assert "bridge: the evaluation ended with exit code 5" in said
