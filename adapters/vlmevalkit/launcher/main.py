"""One import of VLMEvalKit, then a fork per dataset: each has its own memory, environment, folder and log."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from . import evaluation, kit, models, patches, progress, watch

POLL_S = 0.05
PROGRESS = "progress.json"


def main(job_file: str) -> int:
    """Runs the job; 0 also where datasets failed: what became of each is in its ``result.json``."""
    job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    progress.write(Path(PROGRESS), {"done": 0, "total": None, "stage": "import"})
    load(job["stand_ins"], job["source"])
    _run_all(job)
    return 0


def load(stand_ins: list[str], source: str | None = None) -> None:
    """Imports VLMEvalKit and puts everything of ours into it."""
    kit.load(stand_ins, source)
    watch.install()
    models.install()
    patches.install()


def check(stand_ins: list[str]) -> None:
    """Whether VLMEvalKit can be imported here, and has its datasets; prints how many."""
    load(stand_ins)
    names = set(kit.module("dataset").SUPPORTED_DATASETS)
    sys.stdout.write(f"VLMEvalKit {kit.version()}: {len(names)} datasets\n")


def _run_all(job: dict[str, Any]) -> None:
    """As many at a time as there are cores for: one is scored while another is asked."""
    at_once = max(2, min(os.cpu_count() or 2, 4)) if not job["one_by_one"] else 1
    waiting, running = list(job["datasets"]), dict[int, str]()
    while waiting or running:
        while waiting and len(running) < at_once:
            item = waiting.pop(0)
            running[_fork(job, item)] = item["dir"]
        _reap(running)
        _report(job)
        time.sleep(POLL_S)
    _report(job)


def _fork(job: dict[str, Any], item: dict[str, Any]) -> int:
    folder = Path(item["dir"])
    folder.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    try:
        _in_child(job, item, folder)
    except BaseException:  # noqa: BLE001 - the child must not run on in the parent's loop
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _in_child(job: dict[str, Any], item: dict[str, Any], folder: Path) -> None:
    os.chdir(folder)
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    patches.seed()
    models.judge_of_job = job["judge"]
    evaluation.evaluate(job, item, progress.Progress(Path(PROGRESS)))
    sys.stdout.flush()
    sys.stderr.flush()


def _reap(running: dict[int, str]) -> None:
    """Takes the processes that have ended; one that was killed leaves no result, and that is told."""
    for child in list(running):
        done, status = os.waitpid(child, os.WNOHANG)
        if not done:
            continue
        folder = Path(running.pop(child))
        code = os.waitstatus_to_exitcode(status)
        if not (folder / evaluation.RESULT).exists():
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            result = {"error": f"its process {how}; see {folder / 'log.txt'}", "repeats": []}
            (folder / evaluation.RESULT).write_text(json.dumps(result), encoding="utf-8")


def _report(job: dict[str, Any]) -> None:
    states = {item["id"]: progress.read(Path(item["dir"]) / PROGRESS) for item in job["datasets"]}
    totals = [state.get("total") for state in states.values()]
    known = [int(total) for total in totals if total]
    stages = sorted({str(state["stage"]) for state in states.values() if state.get("stage")})
    state = {
        "done": sum(int(state.get("done") or 0) for state in states.values()),
        "total": sum(known) if len(known) == len(states) else None,
        "stage": ", ".join(stages),
        "datasets": {name: {k: state.get(k) for k in ("done", "total")} for name, state in states.items()},
    }
    progress.write(Path(PROGRESS), state)
