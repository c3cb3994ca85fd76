"""Through ``bridge run``: with OpenCompass beside it, killed and started again, with a judge, through the gateway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import vlm_toys
from fault_server import OK, Fault, FaultServer, prompt_of
from server_thread import serving

pytestmark = pytest.mark.env

BRIDGE = [sys.executable, "-m", "bridge"] if (Path(__file__).parents[3] / "bridge" / "__main__.py").exists() else [
    str(Path(sys.executable).with_name("bridge"))
]  # fmt: skip
GSM8K = [{"question": f"What is {at} plus 1?", "answer": f"It is.\n#### {at + 1}"} for at in range(4)]


def slow(body: dict[str, Any]) -> Fault:
    return Fault(latency_s=0.3)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with serving(FaultServer(answer=vlm_toys.answer)) as thread:
        yield thread.server


def write_spec(folder: Path, server: FaultServer, datasets: list[Any], **fields: Any) -> Path:
    model = {"name": "org/tiny", "endpoint": {"base_url": server.base_url, "probe": False}}
    spec = {"name": "run", "model": model, "datasets": datasets, **fields}
    path = folder / "spec.json"
    path.write_text(json.dumps(spec), encoding="utf-8")
    return path


def bridge(spec: Path, output: Path) -> subprocess.CompletedProcess[str]:
    argv = [*BRIDGE, "run", str(spec), "--output", str(output)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)


def report_of(output: Path) -> dict[str, Any]:
    return dict(json.loads((output / "report.json").read_text(encoding="utf-8")))


def primary(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["dataset"]: row for row in report["results"] if row["primary"]}


def test_text_and_images_in_one_report(tmp_path: Path, server: FaultServer) -> None:
    tables = vlm_toys.write_all(tmp_path / "tables", "MMStar", "POPE")
    (tmp_path / "gsm8k").mkdir()
    lines = "".join(json.dumps(row) + "\n" for row in GSM8K)
    for name in ("test.jsonl", "train.jsonl"):
        (tmp_path / "gsm8k" / name).write_text(lines, encoding="utf-8")
    datasets = [
        {"name": "MMStar", "path": str(tables)},
        {"name": "POPE", "path": str(tables)},
        {"name": "gsm8k", "backend": "opencompass", "path": str(tmp_path / "gsm8k")},
    ]
    done = bridge(write_spec(tmp_path, server, datasets), tmp_path / "run")
    assert done.returncode == 0, done.stderr[-2000:]
    rows = primary(report_of(tmp_path / "run"))
    assert {(name, row["backend"], row["n"]) for name, row in rows.items()} == {
        ("MMStar", "vlmevalkit", 8),
        ("POPE", "vlmevalkit", 8),
        ("gsm8k", "opencompass", 4),
    }
    samples = (tmp_path / "run" / rows["MMStar"]["samples"]).read_text(encoding="utf-8").splitlines()
    shown = json.loads(samples[0])["input"][0]["content"][0]["image_url"]["url"]
    assert (tmp_path / "run" / shown).is_file()
    assert (tmp_path / "run" / rows["MMStar"]["source"]).is_file()


def test_killed_and_started_again_nothing_is_asked_twice(tmp_path: Path, server: FaultServer) -> None:
    tables = vlm_toys.write(tmp_path / "many.tsv", vlm_toys.choices(40)).parent
    server.rule = slow
    datasets = [{"name": "custom_mcq", "alias": "many", "path": str(tables / "many.tsv")}]
    spec = write_spec(tmp_path, server, datasets, concurrency=4)
    argv = [*BRIDGE, "run", str(spec), "--output", str(tmp_path / "run")]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as first:
        while len(server.journal) < 12:
            time.sleep(0.02)
        os.killpg(first.pid, signal.SIGKILL)
    time.sleep(1.0)
    answered = len(server.journal)
    done = bridge(spec, tmp_path / "run")
    assert done.returncode == 0, done.stderr[-2000:]
    assert primary(report_of(tmp_path / "run"))["many"]["n"] == 40
    asked = Counter(server.prompts)
    assert len(asked) == 40
    assert sum(asked.values()) - 40 <= 4, "only what was on the wire at the kill is asked again"
    before = len(server.journal)
    assert answered < before and bridge(spec, tmp_path / "run").returncode == 0
    assert len(server.journal) == before


def test_requests_that_fail_end_as_partial(tmp_path: Path, server: FaultServer) -> None:
    """The gateway tries again, then answers with an error; VLMEvalKit would score that as an answer."""
    tables = vlm_toys.write_all(tmp_path / "tables", "MMStar")
    server.rule = lambda body: Fault(status=500, message="boom") if "Item 3" in prompt_of(body) else OK
    datasets = [{"name": "MMStar", "path": str(tables)}]
    done = bridge(write_spec(tmp_path, server, datasets, max_retries=1), tmp_path / "run")
    assert done.returncode == 7, done.stderr[-2000:]
    report = report_of(tmp_path / "run")
    row = primary(report)["MMStar"]
    assert (row["n"], row["n_errors"], row["status"]) == (7, 1, "partial")
    assert report["usage"]["failed"] == 1 and "boom" in row["reason"]
    server.rule = None
    again = bridge(write_spec(tmp_path, server, datasets, max_retries=1), tmp_path / "run")
    assert again.returncode == 0, again.stderr[-2000:]
    assert primary(report_of(tmp_path / "run"))["MMStar"]["n"] == 8


def test_a_judge_through_the_gateway(tmp_path: Path, server: FaultServer) -> None:
    tables = vlm_toys.write_all(tmp_path / "tables", "MathVista_MINI")
    with serving(FaultServer(answer=vlm_toys.judge)) as judge:
        served = {"name": "org/judge", "endpoint": {"base_url": judge.server.base_url, "probe": False}}
        datasets = [{"name": "MathVista_MINI", "path": str(tables)}]
        done = bridge(write_spec(tmp_path, server, datasets, judge=served), tmp_path / "run")
        assert done.returncode == 0, done.stderr[-2000:]
        assert {asked.body["model"] for asked in judge.server.journal} == {"org/judge"}
    assert primary(report_of(tmp_path / "run"))["MathVista_MINI"]["n"] == 6
