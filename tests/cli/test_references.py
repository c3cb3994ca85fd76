"""``${NAME}`` in a spec: its value reaches the server and no file of the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_backend import ROWS, FakeBackend
from fault_server import Fault, FaultServer
from server_thread import serving

import bridge.plan
from bridge.report.schema import Status
from bridge.runs import remake_report, run
from bridge.spec_file import spec_from_mapping


@pytest.fixture
def only_the_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"fake": FakeBackend()}
    monkeypatch.setattr(bridge.plan, "backend_names", lambda: tuple(made))
    monkeypatch.setattr(bridge.plan, "backend", made.__getitem__)


def files_with(text: str, folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


@pytest.mark.usefixtures("only_the_fake")
def test_no_file_holds_the_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(FaultServer(model="m")) as thread:
        address = thread.server.base_url.removeprefix("http://").removesuffix("/v1")
        monkeypatch.setenv("ADDRESS", address)
        model = {"name": "m", "endpoint": {"base_url": "http://${ADDRESS}/v1"}}
        spec = spec_from_mapping({"model": model, "datasets": ["sums"], "max_retries": 0})
        reports = {
            "complete": run(spec, output=tmp_path / "complete"),
            "unknown": run(another_name(spec), output=tmp_path / "unknown"),
        }
        thread.server.rule = lambda body: Fault(status=400)
        reports["refused"] = run(spec, output=tmp_path / "refused")
        thread.server.rule = None
        thread.stop_after(3)
        reports["dies"] = run(spec, output=tmp_path / "dies")
        reports["dead"] = run(spec, output=tmp_path / "dead")
        thread.restart()
    assert [report.status is Status.COMPLETE for report in reports.values()] == [True, False, False, False, False]
    assert sum(row.n for row in reports["complete"].results) == ROWS
    monkeypatch.delenv("ADDRESS")
    remake_report(tmp_path / "complete")
    assert files_with(address, tmp_path) == []


def test_nor_where_the_engine_asks_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"Is {number} even?,yes,no,{'AB'[number % 2]}\n" for number in range(20))
    (tmp_path / "sums_val.csv").write_text(f"question,A,B,answer\n{rows}", encoding="utf-8")
    with serving(FaultServer(model="m")) as thread:
        address = thread.server.base_url.removeprefix("http://").removesuffix("/v1")
        monkeypatch.setenv("ADDRESS", address)
        spec = spec_from_mapping(
            {
                "model": {"name": "m", "endpoint": {"base_url": "http://${ADDRESS}/v1"}},
                "backend": "native",
                "datasets": [{"name": "general_mcq", "path": str(tmp_path / "sums_val.csv")}],
                "max_retries": 20,
                "concurrency": 2,
            }
        )
        assert run(spec, output=tmp_path / "complete").status is Status.COMPLETE
        thread.server.rule = lambda body: Fault(status=401)
        assert run(spec, output=tmp_path / "refused").status is Status.FAILED
        thread.server.rule = lambda body: Fault(latency_s=0.3)
        thread.stop_after(len(thread.server.journal) + 3)
        dies = run(spec, output=tmp_path / "dies")
        thread.restart()
    assert "http://${ADDRESS}/v1" in " ".join(error.message for error in dies.errors)
    assert files_with(address, tmp_path) == []


def another_name(spec: bridge.TaskSpec) -> bridge.TaskSpec:
    assert spec.model is not None
    return spec.model_copy(update={"model": spec.model.model_copy(update={"name": "unknown"})})
