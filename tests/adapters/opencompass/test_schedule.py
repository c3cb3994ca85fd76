"""The processes that infer and score, with units that behave as told; OpenCompass itself is left out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bridge.adapters.opencompass import catalog

PROGRAM = """
import json, os, sys, time, types
from pathlib import Path

for name in ("opencompass", "opencompass.tasks", "opencompass.tasks.openicl_infer_concurrent", "opencompass.utils",
             "mmengine", "mmengine.config"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["mmengine.config"].Config = sys.modules["mmengine.config"].ConfigDict = dict
sys.modules["opencompass.tasks"].OpenICLEvalTask = object
sys.modules["opencompass.tasks.openicl_infer_concurrent"].OpenICLInferConcurrentTask = object
for name in ("InferStatusManager", "build_model_from_cfg", "dataset_abbr_from_cfg"):
    setattr(sys.modules["opencompass.utils"], name, object)
sys.path.insert(0, sys.argv[1])
from ocbridge import infer, schedule, score
from ocbridge.units import Unit

folder = Path(sys.argv[3])
told = json.loads(sys.argv[2])

def seen(what, index):
    # Each process notes what it did: the file tells who did what, and how often.
    with (folder / f"{what}-{index}").open("a") as file:
        file.write(f"{os.getpid()}\\n")
    return len((folder / f"{what}-{index}").read_text().split())

class Inference(infer.Inference):
    def _infer(self, index, unit):
        tries = seen("infer", index)
        self._tell({"unit": index, "total": 10})
        for row in range(10):
            with self._tokens:
                time.sleep(0.002)
        how = unit.config["how"]
        if how == "die" or (how == "die once" and tries == 1):
            os.kill(os.getpid(), 9)
        if how == "raise":
            raise ValueError("no such luck")
        return "told by the framework" if how == "say" else ""

class Task:
    def __init__(self, index, unit):
        self.index, self.unit = index, unit
    def run(self):
        seen("score", self.index)
        how = self.unit.config["how"]
        if how == "die scoring":
            os._exit(3)
        if how == "raise scoring":
            raise KeyError("gone")

schedule.Inference = Inference
score._tasks = lambda model, unit, work_dir: [Task(int(unit.abbr), unit)]
units = [Unit("d", str(at), None, 0, {"how": how}, {}) for at, how in enumerate(told)]
if told and told[-1] == "failed before":
    units[-1].fail("data", "it was broken")
changes = []
schedule.Schedule([{}], units, "out", 4, lambda: changes.append(1), cores=2).run()
print(json.dumps([[unit.state, unit.error, unit.done] for unit in units]))
"""


def run(folder: Path, *told: str) -> list[list[Any]]:
    argv = [sys.executable, "-c", PROGRAM, str(catalog.HERE), json.dumps(told), str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    states: list[list[Any]] = json.loads(done.stdout.splitlines()[-1])
    return states


def processes(folder: Path, what: str, index: int) -> list[str]:
    return (folder / f"{what}-{index}").read_text(encoding="utf-8").split()


def test_everything_is_inferred_and_scored_in_a_few_processes(tmp_path: Path) -> None:
    assert run(tmp_path, *["good"] * 12) == [["done", "", 10]] * 12
    assert len({pid for at in range(12) for pid in processes(tmp_path, "infer", at)}) == 2
    assert all(len(processes(tmp_path, "score", at)) == 1 for at in range(12))


def test_no_units_is_no_work(tmp_path: Path) -> None:
    assert run(tmp_path) == []


def test_what_raises_fails_alone_with_its_words(tmp_path: Path) -> None:
    states = run(tmp_path, "good", "raise", "say", "raise scoring", "good", "failed before")
    assert [state for state, _, _ in states] == ["done", "failed", "failed", "failed", "done", "failed"]
    assert [error for _, error, _ in states] == [
        "",
        "infer: ValueError: no such luck",
        "infer: told by the framework",
        "score: KeyError: 'gone'",
        "",
        "data: it was broken",
    ]
    assert not (tmp_path / "infer-5").exists()


def test_a_process_that_dies_harms_only_the_unit_that_kills_it(tmp_path: Path) -> None:
    states = run(tmp_path, "good", "die", "good", "good", "die once", "good", "good")
    assert [state for state, _, _ in states] == ["done", "failed", "done", "done", "done", "done", "done"]
    assert states[1][1] == "infer: its process was killed by signal 9 (SIGKILL)"
    assert len(set(processes(tmp_path, "infer", 1))) == 2
    assert len(set(processes(tmp_path, "infer", 4))) == 2


def test_a_scoring_process_that_dies_fails_the_unit_it_was_at(tmp_path: Path) -> None:
    states = run(tmp_path, *["good"] * 4, "die scoring", *["good"] * 4)
    assert [state for state, _, _ in states] == [*["done"] * 4, "failed", *["done"] * 4]
    assert states[4][1] == "score: its process ended with exit code 3 in the middle"
    assert all(len(processes(tmp_path, "score", at)) == 1 for at in range(9))
