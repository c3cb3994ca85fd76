"""Long runs with faults and restarts: no process grows, no file or socket stays open, no row is lost or there twice.

pytest -m bench tests/faults/test_soak.py -s
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from fault_server import Fault, FaultServer
from opencompass_toys import answer as answer_text
from server_thread import serving

sys.path.insert(0, str(Path(__file__).parent))

from rig import Json, Rig, ended, left_behind
from subjects import SUBJECTS, Subject
from watched import Watched

pytestmark = pytest.mark.bench


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
        watched, began = Watched(tmp_path, lambda: len(thread.server.journal)), time.monotonic()
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
        print("\n".join(f"  {line}" for line in watched.lines()))
        assert row["n"] + row["n_errors"] == subject.rows
        assert (last.exit_code, report["run"]["status"], row["n_errors"]) == (0, "complete", 0)
        assert rig.asked_again() <= 3 * 64
        assert left_behind(tmp_path) == []
        assert watched.long_lived(), "nothing was seen for long enough to say anything"
        assert list(watched.leaks()) == []
        records = Counter(record["sample_id"] for record in rig.records())
        assert (len(records), set(records.values())) == (subject.rows, {1})


def wait_for(rig: Rig, bridge: subprocess.Popen[str], requests: int) -> None:
    while len(rig.server.journal) < requests and bridge.poll() is None:
        time.sleep(0.05)
