"""A whole job in the sandbox: what it reaches, what it does not, and when it runs there at all."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest
from fake_backend import ROWS, FakeBackend
from fault_server import FaultServer
from server_thread import ServerThread, serving

import bridge.confine
import bridge.plan
from bridge.backend import BenchmarkResult, Endpoint, Job, Outcome, Task
from bridge.errors import SpecError
from bridge.report.schema import ErrorKind, Report, Status
from bridge.runs import remake_report, run
from bridge.sandbox.trial import why_not
from bridge.spec import TaskSpec

SNOOP = """
import json, os, pathlib, socket
tried = json.load(open("tried.json"))
done = {"ports": [], "written": [], "pids": len([p for p in os.listdir("/proc") if p.isdigit()])}
for port in tried["ports"]:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        done["ports"].append(port)
    except OSError:
        pass
for path in tried["paths"]:
    try:
        pathlib.Path(path).write_text("written")
        done["written"].append(path)
    except OSError:
        pass
done["env"] = sorted(os.environ)
json.dump(done, open("done.json", "w"))
exec(open("job.py").read())
"""


@dataclass
class Snoop:
    """The fake backend, whose job first tries what it may not do."""

    runs: Literal["nothing", "data", "model output"] = "nothing"
    tried: dict[str, Any] = field(default_factory=lambda: {"ports": [], "paths": []})
    fake: FakeBackend = field(default_factory=FakeBackend)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fake, name)

    def translate(self, task: Task, endpoint: Endpoint) -> list[Job]:
        (job,) = self.fake.translate(task, endpoint)
        files = {**job.files, "snoop.py": SNOOP, "tried.json": json.dumps(self.tried)}
        return [replace(job, argv=("python", "snoop.py"), files=files, runs=self.runs)]

    def collect(self, outcome: Outcome, task: Task) -> list[BenchmarkResult]:
        return self.fake.collect(outcome, task)


@pytest.fixture
def snoop(monkeypatch: pytest.MonkeyPatch) -> Snoop:
    made = Snoop()
    monkeypatch.setattr(bridge.plan, "backend_names", lambda: ("fake",))
    monkeypatch.setattr(bridge.plan, "backend", {"fake": made}.__getitem__)
    return made


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with serving(FaultServer(model="m")) as thread:
        yield thread


@pytest.fixture
def sandbox() -> None:
    if why := why_not():
        pytest.skip(why)


@pytest.fixture
def no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge.confine, "why_not", lambda: "bubblewrap (bwrap) is not installed; install it")


def spec(server: ServerThread, **fields: object) -> TaskSpec:
    model = {"name": "m", "endpoint": {"base_url": server.server.base_url}}
    return TaskSpec.model_validate({"model": model, "datasets": ["sums"], **fields})


def done(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / "jobs" / "fake" / "done.json").read_text())
    return content


def primary(report: Report) -> Any:
    (row,) = (row for row in report.results if row.primary)
    return row


def listener() -> socket.socket:
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=lambda: _accept(server), daemon=True).start()
    return server


def _accept(server: socket.socket) -> None:
    try:
        while True:
            server.accept()[0].close()
    except OSError:
        return


@pytest.mark.usefixtures("sandbox")
def test_inside_it_reaches_the_gateway_and_its_folder_and_nothing_else(
    snoop: Snoop, server: ServerThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "sk-secret")
    outside = tmp_path / "outside.txt"
    paths = [str(outside), str(tmp_path / "run" / "spec.yaml"), str(Path(__file__).with_name("written.txt"))]
    with listener() as other:
        snoop.tried = {"ports": [other.getsockname()[1], server.server.port], "paths": [*paths, "mine.txt"]}
        free = run(spec(server, name="free"), output=tmp_path / "free")
        assert done(tmp_path / "free")["ports"] == snoop.tried["ports"], "it can do all of it outside"
        assert paths[0] in done(tmp_path / "free")["written"]
        outside.unlink()
        Path(paths[2]).unlink()
        report = run(spec(server, sandbox=True), output=tmp_path / "run")
    assert (report.status, primary(report).value, primary(report).n) == (Status.COMPLETE, 1.0, ROWS)
    tried = done(tmp_path / "run")
    assert tried["ports"] == []
    assert paths[2] not in tried["written"] and "mine.txt" in tried["written"]
    # Below /tmp it has written into a /tmp of its own.
    assert "written" not in (tmp_path / "run" / "spec.yaml").read_text()
    assert not outside.exists() and not Path(paths[2]).exists()
    assert tried["pids"] <= 6
    assert "SECRET_KEY" not in tried["env"]
    assert primary(report).settings["sandbox"] == "bubblewrap"
    assert "sandbox" not in primary(free).settings
    assert [error for error in report.errors if error.kind is ErrorKind.WARNING] == []
    assert {row.value for row in free.results} == {row.value for row in report.results}


@pytest.mark.usefixtures("sandbox")
def test_a_job_that_runs_a_models_code_is_inside_without_being_asked(
    snoop: Snoop, server: ServerThread, tmp_path: Path
) -> None:
    snoop.runs = "model output"
    assert primary(run(spec(server), output=tmp_path / "run")).settings["sandbox"] == "bubblewrap"


@pytest.mark.usefixtures("sandbox")
def test_a_job_inside_is_stopped_as_any_other(snoop: Snoop, server: ServerThread, tmp_path: Path) -> None:
    given = spec(server, sandbox=True, job_timeout_s=3, options={"fake": {"pause_s": 30}})
    report = run(given, output=tmp_path / "run")
    assert report.exit_code != 0
    assert any("job_timeout_s" in error.message for error in report.errors)


@pytest.mark.usefixtures("no_sandbox")
def test_without_a_sandbox_a_models_code_is_refused(snoop: Snoop, server: ServerThread, tmp_path: Path) -> None:
    snoop.runs = "model output"
    with pytest.raises(SpecError) as refused:
        run(spec(server), output=tmp_path / "run")
    (problem,) = refused.value.problems
    assert problem.field == "datasets[0]"
    assert "only in a sandbox: bubblewrap (bwrap) is not installed" in problem.message
    assert "--unsafe" in problem.hint
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("no_sandbox")
def test_unsafe_is_said_on_the_command_line_and_in_the_report(
    snoop: Snoop, server: ServerThread, tmp_path: Path
) -> None:
    snoop.runs = "model output"
    report = run(spec(server), output=tmp_path / "run", unsafe=True)
    for told in (report, remake_report(tmp_path / "run")):
        assert told.status is Status.COMPLETE and told.exit_code == 0
        assert primary(told).settings["sandbox"] == "none"
        (error,) = told.errors
        assert (error.kind, error.dataset) == (ErrorKind.WARNING, "sums")
        assert error.message == "code that the model wrote was run without a sandbox"


def test_the_spec_alone_cannot_do_without(snoop: Snoop, server: ServerThread, tmp_path: Path) -> None:
    snoop.runs = "model output"
    with pytest.raises(SpecError, match="the spec says sandbox: false"):
        run(spec(server, sandbox=False), output=tmp_path / "run")
    with pytest.raises(SpecError, match="unsafe"):
        _with_unsafe(server)
    report = run(spec(server, sandbox=False), output=tmp_path / "run", unsafe=True)
    assert primary(report).settings["sandbox"] == "none"


def _with_unsafe(server: ServerThread) -> None:
    from bridge import spec_from_mapping

    given = {"model": {"name": "m", "endpoint": {"base_url": server.server.base_url}}, "datasets": ["sums"]}
    spec_from_mapping({**given, "unsafe": True})


@pytest.mark.usefixtures("no_sandbox")
def test_a_sandbox_that_is_asked_for_and_not_there_is_refused_even_so(
    snoop: Snoop, server: ServerThread, tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match="sandbox: there is no sandbox here: bubblewrap"):
        run(spec(server, sandbox=True), output=tmp_path / "run", unsafe=True)


@pytest.mark.usefixtures("no_sandbox")
def test_code_in_data_runs_outside_where_there_is_no_sandbox_and_says_so(
    snoop: Snoop, server: ServerThread, tmp_path: Path
) -> None:
    snoop.runs = "data"
    report = run(spec(server), output=tmp_path / "run")
    assert report.exit_code == 0
    assert [error.message for error in report.errors] == ["code that may stand in the data was run without a sandbox"]
