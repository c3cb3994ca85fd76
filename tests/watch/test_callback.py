"""The callback inside a training; transformers and the ``bridge`` that it starts are made up."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "bridge" / "watch" / "trainer_callback.py"
BRIDGE = """
import json, os, pathlib, sys
words = sys.argv[1:]
output = pathlib.Path(words[words.index("--output") + 1])
(output / "started.json").write_text(json.dumps({"argv": words, "env": dict(os.environ)}))
def write(*steps):
    entries = [{"name": f"checkpoint-{step}", "step": step, "metrics": {"sums": step / 100}} for step in steps]
    (output / "aside").write_text(json.dumps({"entries": entries}))
    (output / "aside").rename(output / "watch.json")
write(10)
sys.stdin.read()
write(10, 20)
sys.exit(int(os.environ.get("EXIT", "0")))
"""


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    transformers: Any = ModuleType("transformers")
    transformers.TrainerCallback = type("TrainerCallback", (), {})
    swift: Any = ModuleType("swift.callbacks")
    swift.callbacks_map = {}
    for name, made in (("transformers", transformers), ("swift", ModuleType("swift")), ("swift.callbacks", swift)):
        monkeypatch.setitem(sys.modules, name, made)
    found = importlib.util.spec_from_file_location("trainer_callback", FILE)
    assert found is not None
    assert found.loader is not None
    made = importlib.util.module_from_spec(found)
    found.loader.exec_module(made)
    assert swift.callbacks_map["bridge"] is made.for_swift
    monkeypatch.setattr(made, "POLL_S", 0.02)
    return made


class Trainer:
    def __init__(self, folder: Path) -> None:
        self.args = SimpleNamespace(output_dir=str(folder), logging_steps=5)
        self.state = SimpleNamespace(global_step=5, is_world_process_zero=True, log_history=[])
        self.control = object()
        self.logged: list[dict[str, float]] = []
        self.callback_handler = SimpleNamespace(on_log=lambda *given: self.logged.append(given[3]))


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    path = tmp_path / "bridge.py"
    path.write_text(BRIDGE, encoding="utf-8")
    return [sys.executable, str(path)]


def until(true: Any) -> None:
    end = time.monotonic() + 20
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    assert true()


def test_values_come_back_while_it_trains_and_at_its_end(
    tmp_path: Path, module: ModuleType, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/of/the/training")
    trainer = Trainer(tmp_path)
    callback = module.BridgeCallback(trainer, command, ["--datasets", "sums"])
    callback.on_train_begin(trainer.args, trainer.state, trainer.control)
    until(lambda: callback.results.is_file())
    callback.on_step_end(trainer.args, trainer.state, trainer.control)
    assert trainer.logged == [{"bridge/sums": 0.1, "bridge/step": 10}]
    callback.on_train_end(trainer.args, trainer.state, trainer.control)
    assert trainer.logged == [{"bridge/sums": 0.1, "bridge/step": 10}, {"bridge/sums": 0.2, "bridge/step": 20}]
    assert [entry["bridge/step"] for entry in trainer.state.log_history] == [10, 20]
    started = json.loads((tmp_path / "bridge" / "started.json").read_text())
    assert started["argv"][:4] == ["watch", str(tmp_path), "--datasets", "sums"]
    assert started["argv"][-1] == "--until-stdin-closes"
    assert "PYTHONPATH" not in started["env"]


def test_a_failed_evaluation_is_a_warning(
    tmp_path: Path,
    module: ModuleType,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("EXIT", "4")
    trainer = Trainer(tmp_path)
    callback = module.BridgeCallback(trainer, command)
    with caplog.at_level(logging.WARNING, "bridge"):
        callback.on_train_begin(trainer.args, trainer.state, trainer.control)
        until(lambda: callback.results.is_file())
        callback.on_train_end(trainer.args, trainer.state, trainer.control)
    assert "the evaluation ended with exit code 4" in caplog.text


def test_no_such_command_is_a_warning(tmp_path: Path, module: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    trainer = Trainer(tmp_path)
    callback = module.BridgeCallback(trainer, ["/no/such/bridge"])
    with caplog.at_level(logging.WARNING, "bridge"):
        callback.on_train_begin(trainer.args, trainer.state, trainer.control)
        callback.on_step_end(trainer.args, trainer.state, trainer.control)
        callback.on_train_end(trainer.args, trainer.state, trainer.control)
    assert "no evaluation any more: FileNotFoundError" in caplog.text


def test_results_that_are_no_json_are_a_warning(
    tmp_path: Path, module: ModuleType, command: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    trainer = Trainer(tmp_path)
    callback = module.BridgeCallback(trainer, command)
    callback.on_train_begin(trainer.args, trainer.state, trainer.control)
    process = callback.process
    until(lambda: callback.results.is_file())
    callback.results.write_text("{", encoding="utf-8")
    with caplog.at_level(logging.WARNING, "bridge"):
        callback.on_step_end(trainer.args, trainer.state, trainer.control)
    assert "no evaluation any more: JSONDecodeError" in caplog.text
    assert process.wait(timeout=20) == 0
    assert trainer.logged == []


def test_only_the_first_process_of_several_starts_it(tmp_path: Path, module: ModuleType, command: list[str]) -> None:
    trainer = Trainer(tmp_path)
    trainer.state.is_world_process_zero = False
    callback = module.BridgeCallback(trainer, command)
    callback.on_train_begin(trainer.args, trainer.state, trainer.control)
    callback.on_train_end(trainer.args, trainer.state, trainer.control)
    assert callback.process is None
    assert not (tmp_path / "bridge").exists()


def test_it_waits_no_longer_than_it_may(tmp_path: Path, module: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    slow = [sys.executable, "-c", "import sys, time; sys.stdin.read(); time.sleep(60)"]
    trainer = Trainer(tmp_path)
    callback = module.BridgeCallback(trainer, slow, wait_s=0.1)
    callback.on_train_begin(trainer.args, trainer.state, trainer.control)
    process = callback.process
    with caplog.at_level(logging.WARNING, "bridge"):
        callback.on_train_end(trainer.args, trainer.state, trainer.control)
    assert "still evaluating" in caplog.text
    process.kill()
    process.wait()


def test_swift_is_told_by_variables(tmp_path: Path, module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_WATCH", "/opt/bridge --spec 'my eval.yaml' --output results")
    monkeypatch.setenv("BRIDGE_WATCH_WAIT_S", "7")
    made = module.for_swift(None, Trainer(tmp_path))
    assert (made.command, made.arguments) == (["/opt/bridge"], ["--spec", "my eval.yaml", "--output", "results"])
    assert made.wait_s == 7.0
    assert made._given_output() == Path(os.getcwd()) / "results"
    monkeypatch.delenv("BRIDGE_WATCH")
    with pytest.raises(SystemExit, match="needs BRIDGE_WATCH"):
        module.for_swift(None, Trainer(tmp_path))
