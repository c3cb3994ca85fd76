"""Native's code benchmarks from the command line: in the sandbox, refused without one, and with ``--unsafe``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Done, bridge
from fault_server import FaultServer
from server_thread import ServerThread, serving

from bridge.sandbox.trial import why_not

ROWS = [
    {
        "task_id": f"test/{n}",
        "prompt": f"def return{n}():\n",
        "entry_point": f"return{n}",
        "canonical_solution": f"    return {n}",
        "test": f"def check(candidate):\n    assert candidate() == {n}\n",
    }
    for n in range(4)
]


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    """Right three times, and wrong once."""

    def answer(prompt: str) -> str:
        number = prompt.partition("`return")[2].partition("`")[0]
        return f"```python\ndef return{number}():\n    return {number if number != '3' else 7}\n```"

    with serving(FaultServer(model="m", answer=answer)) as thread:
        yield thread


@pytest.fixture
def spec(tmp_path: Path, server: ServerThread) -> Path:
    (tmp_path / "humaneval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    (tmp_path / "qa.jsonl").write_text(json.dumps({"question": "Which?", "answer": "that"}) + "\n", encoding="utf-8")
    path = tmp_path / "spec.yaml"
    path.write_text(
        f"model: {{name: m, endpoint: {{base_url: {server.server.base_url}}}}}\n"
        "datasets:\n  - {name: humaneval, path: humaneval.jsonl}\n  - {name: general_qa, path: qa.jsonl}\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def no_bwrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine where bubblewrap is not installed."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    why_not.cache_clear()
    yield
    monkeypatch.undo()
    why_not.cache_clear()


def run(spec: Path, folder: Path, *more: str) -> Done:
    return bridge("run", spec, "--output", folder, "--json", *more)


def settings(folder: Path) -> dict[str, object]:
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return {row["dataset"]: row["settings"].get("sandbox") for row in report["results"] if row["primary"]}


def value(folder: Path) -> float:
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    found: float = next(row["value"] for row in report["results"] if row["primary"] and row["dataset"] == "humaneval")
    return found


def test_in_the_sandbox(spec: Path, tmp_path: Path) -> None:
    if why := why_not():
        pytest.skip(why)
    done = run(spec, tmp_path / "run")
    assert done.exit_code == 0, done
    assert value(tmp_path / "run") == 0.75
    assert settings(tmp_path / "run") == {"humaneval": "bubblewrap", "general_qa": None}


def test_a_plan_tells_what_a_job_runs_in(spec: Path) -> None:
    if why := why_not():
        pytest.skip(why)
    assert "  sandbox   bubblewrap, for model output that is run as code" in bridge("plan", spec).stdout
    (job,) = json.loads(bridge("plan", spec, "--json").stdout)["jobs"]
    assert (job["runs"], job["sandbox"]) == ("model output", "bubblewrap")


def test_refused_where_there_is_none(spec: Path, tmp_path: Path, no_bwrap: None) -> None:
    done = run(spec, tmp_path / "run")
    assert done.exit_code == 2
    (line,) = json.loads(done.stdout)["errors"]
    assert "spec.yaml:3" in line and "bubblewrap (bwrap) is not installed; install it: apt install bubblewrap" in line
    assert "--unsafe on the command line" in line
    assert not (tmp_path / "run").exists()


def test_unsafe(spec: Path, tmp_path: Path, no_bwrap: None) -> None:
    done = run(spec, tmp_path / "run", "--unsafe")
    assert done.exit_code == 0, done
    assert value(tmp_path / "run") == 0.75
    assert settings(tmp_path / "run") == {"humaneval": "none", "general_qa": None}
    assert json.loads(done.stdout)["errors"] == [
        "warning: m · native · humaneval: code that the model wrote was run without a sandbox"
    ]


def test_a_spec_cannot_say_it(spec: Path, tmp_path: Path, no_bwrap: None) -> None:
    for field in ("unsafe=true", "sandbox=false"):
        assert run(spec, tmp_path / "run", "--set", field).exit_code == 2
    assert os.environ["PATH"].endswith("empty")


def test_a_sandbox_around_native_is_refused_with_its_reason(spec: Path, tmp_path: Path) -> None:
    done = run(spec, tmp_path / "run", "--set", "sandbox=true")
    assert done.exit_code == 2 and "in a sandbox of its own" in done.stdout
