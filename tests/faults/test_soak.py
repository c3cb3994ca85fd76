"""Long runs with faults and restarts: does memory grow, are files or sockets left open, is a row lost?

pytest -m bench tests/faults/test_soak.py -s
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from fault_server import Fault, FaultServer
from opencompass_toys import answer as answer_text
from server_thread import serving

sys.path.insert(0, str(Path(__file__).parent))

from rig import Json, Rig, ended, left_behind
from subjects import SUBJECTS, Subject

pytestmark = pytest.mark.bench
MB = 1 << 20


def questions(rows: int) -> Subject:
    def write(folder: Path) -> Json:
        path = folder / "qa.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for at in range(rows):
                file.write(json.dumps({"query": f"What is {at} plus {at}?", "response": str(2 * at)}) + "\n")
        return {"name": "general_qa", "backend": "native", "path": str(path)}

    return Subject("native", rows, write, answer_text, in_own_environment=False)


def texts(rows: int) -> Subject:
    def write(folder: Path) -> Json:
        path = folder / "longbench_write.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for at in range(rows):
                file.write(json.dumps({"prompt": f"Write about {at}.", "type": "News Report", "length": 100}) + "\n")
        return {"name": "longbench_write", "backend": "longbench_write", "path": str(path)}

    return replace(SUBJECTS["longbench_write"], rows=rows, write=write)


@pytest.mark.parametrize("subject", [questions(100_000), texts(20_000)], ids=["native", "gateway"])
def test_soak(subject: Subject, tmp_path: Path) -> None:
    failing = (Fault(status=500), Fault(mode="garbage"), Fault(mode="reset"), Fault(status=429, retry_after="0.1"))
    with serving(FaultServer(model="m", answer=subject.answer)) as thread:
        thread.server.rule = lambda body: failing[at % 4] if (at := len(thread.server.journal)) % 50 == 0 else Fault()
        rig = Rig(subject, tmp_path, thread, spec={"concurrency": 64})
        watched, began = Watched(tmp_path), time.monotonic()
        with watched.sampling():
            bridge = rig.start()
            wait_for(rig, bridge, subject.rows // 3)
            bridge.send_signal(signal.SIGKILL)
            ended(bridge)
            bridge = rig.start()
            wait_for(rig, bridge, 2 * subject.rows // 3)
            thread.stop()
            stopped = ended(bridge)
            thread.restart()
            last = rig.to_its_end(1200)
        wall_s = time.monotonic() - began
        report = rig.report()
        assert report is not None
        (row,) = (row for row in report["results"] if row["primary"])
        print(f"\n{subject.backend}: {subject.rows:,} rows, {wall_s:.0f} s, {len(thread.server.journal):,} requests")
        print(f"  exit codes: killed -9, server gone {stopped.exit_code}, last {last.exit_code}")
        print(f"  rows: n {row['n']:,} + errors {row['n_errors']:,}; asked again though answered: {rig.asked_again()}")
        watched.tell()
        assert row["n"] + row["n_errors"] == subject.rows
        assert (last.exit_code, report["run"]["status"], row["n_errors"]) == (0, "complete", 0)
        assert rig.asked_again() <= 3 * 64
        assert left_behind(tmp_path) == []


def wait_for(rig: Rig, bridge: subprocess.Popen[str], requests: int) -> None:
    while len(rig.server.journal) < requests and bridge.poll() is None:
        time.sleep(0.05)


@dataclass
class Watched:
    """Memory and open files of every process of the run, twice a second."""

    folder: Path
    seen: dict[int, list[tuple[float, int, int]]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def sampling(self) -> _Sampling:
        return _Sampling(self)

    def look(self) -> None:
        for process in os.scandir("/proc"):
            if not process.name.isdigit() or int(process.name) == os.getpid():
                continue
            try:
                words = Path(process.path, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                where = os.readlink(f"{process.path}/cwd")
                if str(self.folder) not in words and not where.startswith(str(self.folder)):
                    continue
                pages = int(Path(process.path, "statm").read_text().split()[1])
                n_files = len(os.listdir(f"{process.path}/fd"))
            except OSError:
                continue
            pid = int(process.name)
            self.names[pid] = words[-60:]
            self.seen.setdefault(pid, []).append((time.monotonic(), pages * os.sysconf("SC_PAGE_SIZE"), n_files))

    def tell(self) -> None:
        for pid, samples in self.seen.items():
            if len(samples) < 20:
                continue
            early, late = samples[len(samples) // 4 : len(samples) // 2], samples[-len(samples) // 4 :]
            rss = [statistics.median(one[1] for one in part) / MB for part in (early, late)]
            files = [statistics.median(one[2] for one in part) for part in (early, late)]
            span = samples[-1][0] - samples[0][0]
            print(
                f"  {self.names[pid]:>60}: {span:4.0f} s, RSS {rss[0]:.0f} -> {rss[1]:.0f} MB, "
                f"open files {files[0]:.0f} -> {files[1]:.0f}"
            )


class _Sampling:
    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.watched.over.set()
        self.thread.join()

    def _run(self) -> None:
        while not self.watched.over.wait(0.5):
            self.watched.look()
