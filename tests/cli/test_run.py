"""``bridge run``, ``plan`` and ``report`` with a real server and real jobs; only the framework is made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_backend import ROWS, FakeBackend
from fault_server import Fault, FaultServer
from server_thread import ServerThread, serving

import bridge.plan
import bridge.registry
from bridge.cli.main import main


@pytest.fixture(autouse=True)
def only_the_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"fake": FakeBackend()}
    for module in (bridge.plan, bridge.registry):
        monkeypatch.setattr(module, "backend_names", lambda: tuple(made))
        monkeypatch.setattr(module, "backend", made.__getitem__)


@pytest.fixture
def server() -> Iterator[ServerThread]:
    with serving(FaultServer(model="m")) as thread:
        yield thread


@pytest.fixture
def spec(server: ServerThread, tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    text = f"model:\n  name: m\n  endpoint: {{base_url: '{server.server.base_url}'}}\ndatasets:\n  - sums\n  - words\n"
    path.write_text(text, encoding="utf-8")
    return path


@dataclass
class Said:
    code: int
    out: str
    err: str


Bridge = Callable[..., Said]


@pytest.fixture
def run_bridge(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bridge:
    """The command line in this process, where the made-up backend is known."""

    def call(*arguments: str | Path) -> Said:
        monkeypatch.setattr("sys.argv", ["bridge", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Said(end.value.code, captured.out, captured.err)

    return call


def test_a_run_prints_its_table_and_where_the_report_is(run_bridge: Bridge, spec: Path, tmp_path: Path) -> None:
    said = run_bridge("run", spec, "--output", tmp_path / "out", "--set", "limit=5")
    assert said.code == 0, said.err
    assert "COMPLETE" in said.out
    assert str(tmp_path / "out" / "report.html") in said.out
    assert "fake: " in said.err
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["run"]["argv"] == ["bridge", "run", str(spec), "--output", str(tmp_path / "out"), "--set", "limit=5"]


def test_json_is_one_object_and_nothing_else(run_bridge: Bridge, spec: Path, tmp_path: Path) -> None:
    said = run_bridge("run", spec, "-o", tmp_path / "out", "--json", "--quiet")
    path = str(tmp_path / "out" / "report.json")
    assert json.loads(said.out) == {"report": path, "status": "complete", "exit_code": 0, "errors": []}
    assert said.err == ""


def test_quiet_says_nothing(run_bridge: Bridge, spec: Path, tmp_path: Path) -> None:
    assert run_bridge("run", spec, "-o", tmp_path / "out", "-q") == Said(0, "", "")


def test_unanswered_samples_are_seven(run_bridge: Bridge, spec: Path, tmp_path: Path, server: ServerThread) -> None:
    server.server.rule = lambda body: Fault(status=400 if body["messages"][0]["content"] == "sums 3" else 200)
    said = run_bridge("run", spec, "-o", tmp_path / "out", "--json")
    told = json.loads(said.out)
    assert (said.code, told["status"], told["exit_code"]) == (7, "partial", 7)
    assert "unanswered: sums: not answered" in told["errors"]
    remade = run_bridge("report", tmp_path / "out", "--json")
    again = json.loads(remade.out)
    assert (remade.code, again["status"], again["exit_code"]) == (7, "partial", 7)
    assert (again["report"], again["errors"][0]) == (told["report"], told["errors"][0])


def test_without_a_spec(
    run_bridge: Bridge, server: ServerThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = server.server.base_url
    said = run_bridge("run", "--base-url", url, "--model", "m", "--datasets", "sums", "words", "--limit", "2", "--json")
    told = json.loads(said.out)
    assert said.code == 0, said.err
    assert Path(told["report"]).is_relative_to(tmp_path / "runs")
    assert len(server.server.journal) == 4
    assert "to go on" not in said.err


def test_how_to_go_on_where_no_folder_was_named(
    run_bridge: Bridge, spec: Path, server: ServerThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server.server.rule = lambda body: Fault(status=400 if body["messages"][0]["content"] == "sums 3" else 200)
    said = run_bridge("run", spec, "--set", "limit=5")
    [line] = [line for line in said.err.splitlines() if line.startswith("to go on with this run: ")]
    [folder] = (tmp_path / "runs").iterdir()
    assert line.endswith(f"bridge run {spec} --set limit=5 --output runs/{folder.name}")
    server.server.rule = None
    again = run_bridge(*line.partition("bridge ")[2].split())
    assert again.code == 0, again.err
    assert len(server.server.journal) == 11


def test_what_the_plan_finds_has_its_line(run_bridge: Bridge, spec: Path) -> None:
    with spec.open("a", encoding="utf-8") as file:
        file.write("  - smus\ngeneration: {seed: 1}\n")
    for command in ("run", "plan"):
        said = run_bridge(command, spec, "--set", "datasets.sums.backend=fkae")
        assert said.code == 2
        assert said.out == ""
        lines = said.err.splitlines()
        assert [line for line in lines if "--set datasets.sums.backend=fkae: datasets[0].backend" in line]
        assert [line for line in lines if f"{spec}:7: datasets[2].name: dataset 'smus'" in line]


def test_a_field_that_cannot_be_honoured_is_refused(run_bridge: Bridge, spec: Path) -> None:
    with spec.open("a", encoding="utf-8") as file:
        file.write("generation: {seed: 1}\n")
    said = run_bridge("plan", spec)
    assert (said.code, said.out) == (2, "")
    assert said.err == f"bridge: {spec}:7: generation.seed: fake cannot support this (it has no dice)\n"


def test_plan_shows_jobs_files_and_command_lines(run_bridge: Bridge, spec: Path, server: ServerThread) -> None:
    said = run_bridge("plan", spec)
    assert said.code == 0
    assert "fake: m through fake 1.2.3" in said.out
    assert "  datasets  sums words" in said.out
    assert "  file      job.json (" in said.out
    assert '"rows"' not in said.out
    assert f'"rows": {ROWS}' in run_bridge("plan", spec, "--files").out
    [job] = json.loads(run_bridge("plan", spec, "--json").out)["jobs"]
    assert job["datasets"] == ["sums", "words"]
    assert json.loads(job["files"]["job.json"])["rows"] == ROWS
    assert server.server.journal == []
    assert [path.name for path in spec.parent.iterdir()] == ["spec.yaml"]


def test_a_backend_for_every_dataset(run_bridge: Bridge, spec: Path) -> None:
    said = run_bridge("plan", spec, "--backend", "faek")
    assert said.code == 2
    assert "bridge: --backend: backend: there is no backend 'faek' (did you mean 'fake'?)" in said.err.splitlines()


def test_flags_beside_a_spec_are_refused(run_bridge: Bridge, spec: Path) -> None:
    said = run_bridge("run", spec, "--model", "x", "--limit", "3", "--datasets", "a", "b")
    assert said.code == 2
    assert [line.split(":")[1].strip() for line in said.err.splitlines()] == ["--model", "--datasets", "--limit"]


def test_a_spec_after_the_datasets_is_noticed(run_bridge: Bridge) -> None:
    said = run_bridge("run", "--datasets", "a", "spec.yaml")
    assert said.err == (
        "bridge: --datasets: 'spec.yaml' is the name of a file, not of a dataset (a spec comes before the options)\n"
    )


def test_datasets(run_bridge: Bridge) -> None:
    said = run_bridge("datasets")
    assert [line.split()[:3] for line in said.out.splitlines()[1:]] == [
        ["sums", "fake", "generation"],
        ["words", "fake", "generation"],
    ]
    assert [info["name"] for info in json.loads(run_bridge("datasets", "--json", "--search", "WOR").out)] == ["words"]
    assert "no dataset fits" in run_bridge("datasets", "--search", "nothing like it").err


def test_backends(run_bridge: Bridge) -> None:
    said = run_bridge("backends")
    assert said.code == 0
    assert ["fake", "1.2.3", "bridge's", "own", "2"] in [line.split() for line in said.out.splitlines()]
    assert ["generation.seed", "no"] in [line.split() for line in said.out.splitlines()]
    assert "fake, generation.seed: it has no dice" in said.out
    [told] = json.loads(run_bridge("backends", "--json").out)
    assert told["support"]["generation.seed"] == {"level": "never", "note": "it has no dice"}
