"""One run of bridge, as a process of its own, against a server that can be disturbed; and what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fault_server import Fault, FaultServer
from server_thread import ServerThread
from subjects import Subject

BRIDGE = str(Path(sys.executable).with_name("bridge"))
LATENCY_S = 0.04
CONCURRENCY = 4
Json = dict[str, Any]


@dataclass(frozen=True)
class Ended:
    exit_code: int
    at: float
    """``time.monotonic()``."""
    stderr: str


@dataclass
class Rig:
    """``spec`` holds fields that differ from the usual ones; ``onset`` is when the disturbance began."""

    subject: Subject
    folder: Path
    thread: ServerThread
    spec: Json = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    onset: float = 0.0
    onset_is_start: bool = True

    @property
    def server(self) -> FaultServer:
        return self.thread.server

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def start(self) -> subprocess.Popen[str]:
        if self.onset_is_start:
            self.onset = time.monotonic()
        argv = [BRIDGE, "run", str(self._spec_file()), "--output", str(self.run)]
        pipes: Json = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(argv, env={**os.environ, **self.env}, **pipes)

    def to_its_end(self, timeout_s: float = 180.0) -> Ended:
        return ended(self.start(), timeout_s)

    def disturbed(self, act: Callable[[subprocess.Popen[str]], object], timeout_s: float = 180.0) -> Ended:
        """Runs, and does ``act`` when half of the requests have come."""
        bridge = self.start()
        threading.Thread(target=self._at_half, args=(bridge, act), daemon=True).start()
        return ended(bridge, timeout_s)

    def from_half_on(self, fault: Fault) -> None:
        """The server treats the second half of the requests like this."""
        half = self.subject.rows // 2

        def rule(_: Json) -> Fault:
            if len(self.server.journal) <= half:
                return self.server.default
            if self.onset_is_start:
                self.onset, self.onset_is_start = time.monotonic(), False
            return fault

        self.server.rule = rule

    def heal(self) -> None:
        self.server.rule = None
        if self.server._runner is None:
            self.thread.restart()
        self.spec, self.env = {}, {}

    def report(self) -> Json | None:
        try:
            return dict(json.loads((self.run / "report.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def values(self) -> dict[tuple[Any, ...], float | None]:
        """Every value of the report by its place."""
        rows = (self.report() or {"results": []})["results"]
        return {(r["dataset"], r["subset"], r["category"], r["metric"]): r["value"] for r in rows}

    def scored_without_answer(self) -> int:
        """Samples with an error and a score, and samples with a score beyond the requests that were ever answered."""
        records = list(self.records())
        scored = sum(bool(record["scores"]) for record in records)
        return sum(bool(one["error"] and one["scores"]) for one in records) + max(0, scored - self.answered())

    def scored(self) -> int:
        return sum(bool(record["scores"]) for record in self.records())

    def answered(self) -> int:
        """Different requests that were given a whole and proper answer; one for each sample."""
        return len({json.dumps(asked.body, sort_keys=True) for asked in self.server.answered})

    def records(self) -> Iterator[Json]:
        for path in self.run.glob("samples/**/*.jsonl"):
            for line in path.read_text(encoding="utf-8").splitlines():
                yield json.loads(line)

    def asked_again(self) -> int:
        """Requests that came again after they had been answered."""
        answered = [json.dumps(asked.body, sort_keys=True) for asked in self.server.answered]
        return len(answered) - len(set(answered))

    def _at_half(self, bridge: subprocess.Popen[str], act: Callable[[subprocess.Popen[str]], object]) -> None:
        while len(self.server.journal) < self.subject.rows // 2 and bridge.poll() is None:
            time.sleep(0.005)
        self.onset = time.monotonic()
        act(bridge)

    def _spec_file(self) -> Path:
        path = self.folder / "spec.json"
        model = {"name": "m", "endpoint": {"base_url": self.server.base_url}}
        # Not part of what is asked, and so of no account for whether a run may be gone on with.
        how = {"concurrency": CONCURRENCY, "max_retries": 6, "request_timeout_s": 60}
        data = self.folder / "data"
        dataset = json.loads((data / "dataset.json").read_text()) if data.exists() else self._write(data)
        path.write_text(json.dumps({"name": "run", "model": model, "datasets": [dataset], **how, **self.spec}))
        return path

    def _write(self, data: Path) -> Json:
        data.mkdir(parents=True)
        dataset = self.subject.write(data)
        (data / "dataset.json").write_text(json.dumps(dataset))
        return dataset


def ended(bridge: subprocess.Popen[str], timeout_s: float = 180.0) -> Ended:
    try:
        _, stderr = bridge.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        bridge.kill()
        _, stderr = bridge.communicate()
        stderr += f"\nnot ended after {timeout_s:g} s"
    return Ended(bridge.returncode, time.monotonic(), stderr)


def left_behind(folder: Path, patience_s: float = 5.0) -> list[str]:
    """Processes that have to do with this folder, after they had time to go."""
    deadline = time.monotonic() + patience_s
    while (found := _processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _processes_of(folder: Path) -> list[str]:
    return [line for process in Path("/proc").glob("[0-9]*") if (line := _of(process, str(folder)))]


def _of(process: Path, folder: str) -> str:
    if process.name == str(os.getpid()):
        return ""
    try:
        words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        where = os.readlink(process / "cwd")
    except OSError:
        return ""
    return f"{process.name} {words[:100]}" if folder in words or where.startswith(folder) else ""
