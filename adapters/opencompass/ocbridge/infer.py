"""A forked process that asks the model: OpenCompass's own concurrent inference, many units at a time.

What OpenCompass polls for once a second is told over a pipe: the loaded rows, the answered ones, the end.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TextIO

from mmengine.config import ConfigDict
from opencompass.tasks.openicl_infer_concurrent import OpenICLInferConcurrentTask
from opencompass.utils import InferStatusManager, build_model_from_cfg

from .units import Json, Unit

EVERY_S = 0.2
"""How often the count of answered rows is told at most."""

Tell = Callable[[Json], None]


class Tokens(Protocol):
    """A semaphore over all processes: how many requests may be in flight."""

    def acquire(self) -> object: ...
    def release(self) -> object: ...


class _Progress:
    """Stands where OpenCompass has its tracker."""

    def __init__(self, tell: Tell, index: int) -> None:
        self._tell, self._index = tell, index
        self._lock = threading.Lock()
        self._done = 0
        self._told = 0.0

    def set_total(self, total: int) -> None:
        self._tell({"unit": self._index, "total": total})

    def set_completed(self, completed: int) -> None:
        self._done = completed

    def incr(self, count: int = 1) -> None:
        with self._lock:
            self._done += count
            if time.monotonic() - self._told < EVERY_S:
                return
            self._told = time.monotonic()
        self._tell({"unit": self._index, "done": self._done})


class _Status:
    """Writes OpenCompass's own status file, and keeps the error that it only logs."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self.error = ""

    def update(self, **changes: Any) -> None:
        if changes.get("status") == "fail":
            self.error = one_line(sys.exc_info()[1])
        self._manager.update(**changes)


def one_line(error: BaseException | None) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:400] if text else type(error).__name__


class Inference:
    """All that the process needs to run units; models are made once each."""

    def __init__(
        self, models: Sequence[Json], units: Sequence[Unit], work_dir: str, tokens: Tokens, tell: Tell
    ) -> None:
        self._models, self._units, self._work_dir = models, units, work_dir
        self._tokens, self._tell = tokens, tell
        self._tasks: dict[tuple[int, str], Any] = {}
        self._lock = threading.Lock()

    def serve(self, inbox: TextIO) -> None:
        """Runs every unit whose number comes in, each in a thread, until the other side closes."""
        threads = []
        for line in inbox:
            index = int(line)
            thread = threading.Thread(target=self.run, args=(index,), name=f"unit-{index}")
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()

    def run(self, index: int) -> None:
        unit = self._units[index]
        try:
            error = self._infer(index, unit)
        except Exception as raised:  # noqa: BLE001 - whatever a dataset raises fails that dataset alone
            error = one_line(raised)
        self._tell({"unit": index, "ended": "infer", "error": error})

    def _infer(self, index: int, unit: Unit) -> str:
        task = self._task(unit)
        config = ConfigDict(unit.config)
        # Saved for a resume that the gateway's cache makes needless; every row would be compared with all before it.
        config["infer_cfg"]["inferencer"].setdefault("save_every", 50)
        model = task.model_cfgs[0]
        status = _Status(InferStatusManager(self._work_dir, model, config))
        task._run_dataset_task(
            model, config, self._tokens, int(model["max_workers"]), _Progress(self._tell, index), status
        )
        return status.error

    def _task(self, unit: Unit) -> Any:
        """One for each kind of inferencer: that of dialogues changes how its model reads templates, for good."""
        key = unit.model, str(unit.config["infer_cfg"]["inferencer"]["type"])
        with self._lock:
            if key not in self._tasks:
                config = ConfigDict(models=[self._models[unit.model]], datasets=[[]], work_dir=self._work_dir)
                task = OpenICLInferConcurrentTask(config)
                task.model_cfg = task.model_cfgs[0]
                task.model = build_model_from_cfg(task.model_cfg)
                self._tasks[key] = task
            return self._tasks[key]


def teller(pipe: TextIO) -> Tell:
    """One JSON object per line; short ones arrive whole, whatever thread sends them."""
    lock = threading.Lock()

    def tell(message: Json) -> None:
        with lock:
            pipe.write(json.dumps(message) + "\n")
            pipe.flush()

    return tell
