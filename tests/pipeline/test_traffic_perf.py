"""The speed of an evaluation's own requests, in its report where that is asked for."""

from __future__ import annotations

import json
from pathlib import Path

from fault_server import FaultServer
from server_thread import serving

from bridge import run
from bridge.endpoint.totals import Asked
from bridge.report.schema import Report
from bridge.spec_file import spec_from_mapping
from bridge.traffic_perf import busy_s


def evaluated(url: str, tmp_path: Path, output: str, *, measure: bool) -> Report:
    rows = [{"question": f"What is {n} plus 1?", "answer": f"#### {n + 1}"} for n in range(12)]
    data = tmp_path / "gsm8k"
    data.mkdir(exist_ok=True)
    for name in ("test", "train"):
        (data / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    spec = spec_from_mapping(
        {
            "model": {"name": "m", "endpoint": {"base_url": url}},
            "datasets": [{"name": "gsm8k", "path": str(data), "backend": "native", "num_fewshot": 0}],
            "measure_traffic": measure,
        }
    )
    return run(spec, output=tmp_path / output)


def test_accuracy_and_speed_in_one_report(tmp_path: Path) -> None:
    with serving(FaultServer(model="m")) as thread:
        report = evaluated(f"http://127.0.0.1:{thread.server.port}/v1", tmp_path, "run", measure=True)
        plain = evaluated(f"http://127.0.0.1:{thread.server.port}/v1", tmp_path, "plain", measure=False)
    assert {row.dataset for row in plain.results} == {"gsm8k"}
    speed = {row.metric: row for row in report.results if row.dataset == "perf"}
    assert {row.dataset for row in report.results} == {"gsm8k", "perf"}
    assert [row.metric for row in speed.values() if row.primary] == ["req_s"]
    assert all(row.settings["source"] == "traffic" and row.backend == "traffic" for row in speed.values())
    assert speed["e2e.mean"].n == 12
    assert (speed["e2e.mean"].value or 0) > 0
    assert speed["e2e.p99"].reason == "12 samples; this percentile needs 500"
    assert speed["error_share"].value == 0.0
    assert not any(metric.startswith("ttft") for metric in speed)
    assert report.exit_code == plain.exit_code
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert '<section id="perf">' not in page


def test_pauses_are_no_time_of_work() -> None:
    def at(start: float, latency: float) -> Asked:
        return Asked(start, latency, 1, 1, None)

    assert busy_s([at(0, 2), at(1, 2), at(100, 1)]) == 4.0
