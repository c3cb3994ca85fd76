"""Evaluates checkpoints while a model is trained: a callback for transformers' Trainer, and a plugin for ms-swift.

This file stands alone: it runs in the training's environment, which has no bridge, and starts ``bridge watch`` as a
process of its own. Whatever happens to that process, the training goes on; what went wrong is a warning in its log.

ms-swift, set by environment variables:

    export BRIDGE_WATCH="/path/to/bridge --spec eval.yaml"
    swift sft … --external_plugins trainer_callback.py --callbacks bridge

transformers:

    trainer.add_callback(BridgeCallback(trainer, ["/path/to/bridge"], ["--spec", "eval.yaml"]))

``BRIDGE_WATCH`` holds the command and then arguments of ``bridge watch``: ``--datasets``, ``--every 2``, ``--at-end``,
``--output DIR``. ``BRIDGE_WATCH_WAIT_S`` is how long the end of the training waits for the last evaluation (1800).
Values go to wherever the trainer logs, as ``bridge/<dataset>``, with ``bridge/step`` for the step they are of.
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import os
import shlex
import subprocess
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from transformers import TrainerCallback

log = logging.getLogger("bridge")

POLL_S = 0.5
WAIT_S = 1800.0
NOT_FOR_BRIDGE = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "LD_PRELOAD")
"""Of the training's environment; bridge has one of its own."""


class BridgeCallback(TrainerCallback):  # type: ignore[misc]
    """``trainer`` gets the values; None: they are in the run's folder only."""

    def __init__(
        self, trainer: Any, command: Sequence[str], arguments: Sequence[str] = (), *, wait_s: float = WAIT_S
    ) -> None:
        self.trainer = trainer
        self.command = list(command)
        self.arguments = list(arguments)
        self.wait_s = wait_s
        self.process: subprocess.Popen[bytes] | None = None
        self.results = Path()
        self.logged: set[str] = set()
        self.failed = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._guarded(lambda: self._start(args, state))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.process is not None and state.global_step % max(1, int(args.logging_steps)) == 0:
            self._guarded(self._log_new)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._guarded(self._finish)

    # The process ------------------------------------------------------------------------------------------------

    def _start(self, args: Any, state: Any) -> None:
        if not state.is_world_process_zero or self.process is not None:
            return
        folder = Path(args.output_dir).absolute()
        given = self._given_output()
        self.results = (given or folder / "bridge") / "watch.json"
        self.results.parent.mkdir(parents=True, exist_ok=True)
        self.results.unlink(missing_ok=True)
        own = [] if given else ["--output", str(folder / "bridge")]
        argv = [*self.command, "watch", str(folder), *self.arguments, *own, "--until-stdin-closes"]
        with (self.results.parent / "watch.log").open("ab") as out:
            self.process = _started(argv, out)
        log.info("bridge: evaluating checkpoints as they come, see %s", self.results.parent / "watch.log")

    def _given_output(self) -> Path | None:
        for name in ("--output", "-o"):
            if name in self.arguments[:-1]:
                return Path(self.arguments[self.arguments.index(name) + 1]).absolute()
        return None

    def _finish(self) -> None:
        """Tells the process that no checkpoint will come any more, and waits until it has evaluated the last."""
        process = self.process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        until = time.monotonic() + self.wait_s
        while process.poll() is None and time.monotonic() < until:
            self._log_new()
            time.sleep(POLL_S)
        self._log_new()
        self.process = None
        if process.returncode is None:
            log.warning("bridge: still evaluating after %.0f s; its results will be in %s", self.wait_s, self.results)
        elif process.returncode:
            where = self.results.parent / "watch.log"
            log.warning("bridge: the evaluation ended with exit code %d, see %s", process.returncode, where)

    def _log_new(self) -> None:
        """Hands new values to whatever the trainer logs to.

        Not by ``trainer.log``: ms-swift's takes means over all processes there, and only this one is here.
        """
        if self.trainer is None or not self.results.is_file():
            return
        for entry in json.loads(self.results.read_text(encoding="utf-8"))["entries"]:
            if entry["name"] not in self.logged:
                self.logged.add(entry["name"])
                values = {f"bridge/{name}": value for name, value in entry["metrics"].items()}
                if values:
                    self._hand_on({**values, "bridge/step": entry["step"]})

    def _hand_on(self, values: dict[str, float]) -> None:
        """At the step of the checkpoint, which the training has left behind by now."""
        trainer = self.trainer
        trainer.state.log_history.append({**values, "step": trainer.state.global_step})
        then = copy.copy(trainer.state)
        then.global_step = int(values["bridge/step"])
        trainer.callback_handler.on_log(trainer.args, then, trainer.control, values)

    def _guarded(self, work: Any) -> None:
        """An evaluation that fails must not end a training."""
        if self.failed:
            return
        try:
            work()
        except Exception as error:
            self.failed = True
            log.warning("bridge: no evaluation any more: %s: %s", type(error).__name__, error)
            if self.process is not None and self.process.stdin is not None:
                self.process.stdin.close()


def _started(argv: Sequence[str], out: IO[bytes]) -> subprocess.Popen[bytes]:
    """In a session of its own, so that Ctrl-C on the training does not stop it half-way.

    When the training dies, its end of the pipe closes with it: the process then evaluates what is there, and ends.
    """
    environ = {name: value for name, value in os.environ.items() if name not in NOT_FOR_BRIDGE}
    return subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=out, stderr=out, env=environ, start_new_session=True, close_fds=True
    )


def for_swift(args: Any, trainer: Any) -> BridgeCallback:
    """What ms-swift calls for ``--callbacks bridge``."""
    words = shlex.split(os.environ.get("BRIDGE_WATCH", ""))
    if not words:
        raise SystemExit("--callbacks bridge needs BRIDGE_WATCH, such as: bridge --datasets gsm8k --limit 100")
    return BridgeCallback(trainer, words[:1], words[1:], wait_s=float(os.environ.get("BRIDGE_WATCH_WAIT_S", WAIT_S)))


with contextlib.suppress(ImportError):  # plain transformers
    import_module("swift.callbacks").callbacks_map["bridge"] = for_swift
