"""``bridge env`` and ``bridge doctor`` over a cache of their own. Only what builds and checks is stood in for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import bridge.cli.env
import bridge.envs
from bridge.backend import EnvSpec
from bridge.cli.main import main
from bridge.env_build import RECORD, Environment
from bridge.errors import EnvError

Bridge = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run_bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bridge:
    monkeypatch.setenv("BRIDGE_HOME", str(tmp_path / "home"))
    lock = tmp_path / "env.lock"
    lock.write_text("x==1\n", encoding="utf-8")
    known = {"one": EnvSpec("one", lock, version="1.0"), "two": EnvSpec("two", lock, version="2.0")}
    monkeypatch.setattr(bridge.cli.env, "known_environments", lambda: known)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        captured = capsys.readouterr()
        return int(str(end.value.code)), captured.out, captured.err

    return call


def put(name: str, path: Path) -> Path:
    """An environment as ``envs`` leaves it."""
    (path / "bin").mkdir(parents=True)
    (path / "bin" / "python").symlink_to("/bin/sh")
    record = Environment(
        name=name,
        path=path,
        lock_sha256="0" * 64,
        python="3.11",
        version="1.0",
        built_at="2026-01-01T00:00:00+00:00",
        build_s=1.0,
        size_bytes=12_000_000,
    )
    (path / RECORD).write_text(record.model_dump_json(), encoding="utf-8")
    return path


@pytest.fixture
def three(run_bridge: Bridge) -> dict[str, Path]:
    spec = bridge.cli.env.known_environments()["one"]
    envs = bridge.envs.home() / "envs"
    return {
        "used": put("one", bridge.envs.env_path(spec)),
        "replaced": put("one", envs / "one-py3.11-old"),
        "other": put("else", envs / "else-py3.11-1"),
    }


def test_list(run_bridge: Bridge, three: dict[str, Path]) -> None:
    code, out, _ = run_bridge("env", "list", "--json")
    rows = {(row["name"], row["state"]): row["path"] for row in json.loads(out)}
    assert code == 0
    assert rows == {
        ("one", "in use"): str(three["used"]),
        ("two", "not built"): "",
        ("one", "replaced"): str(three["replaced"]),
        ("else", "other"): str(three["other"]),
    }
    assert "12 MB" in run_bridge("env", "list")[1]


def test_remove_replaced_leaves_what_is_used_or_not_known(run_bridge: Bridge, three: dict[str, Path]) -> None:
    code, out, _ = run_bridge("env", "remove", "--replaced")
    assert (code, out) == (0, f"{three['replaced']}: removed\n")
    assert [name for name, path in three.items() if path.exists()] == ["used", "other"]


def test_remove_by_name(run_bridge: Bridge, three: dict[str, Path]) -> None:
    assert run_bridge("env", "remove", "else", "one")[0] == 0
    assert not any(path.exists() for path in three.values())


def test_remove_wants_to_be_told_what(run_bridge: Bridge) -> None:
    assert run_bridge("env", "remove") == (
        2,
        "",
        "bridge: bridge env remove: give the names of environments, or --replaced\n",
    )
    code, _, err = run_bridge("env", "remove", "tow")
    assert (code, err) == (2, "bridge: tow: there is no such environment (did you mean 'two'?)\n")


def test_build_tells_every_failure_and_goes_on(run_bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ensure(spec: EnvSpec, *, progress: Callable[[str], None]) -> Path:
        progress("Resolved 3 packages")
        if spec.name == "one":
            raise EnvError("environment one: the disk is full; make room")
        return Path("/envs/two/bin/python")

    monkeypatch.setattr(bridge.envs, "ensure", ensure)
    code, out, err = run_bridge("env", "build")
    assert (code, out) == (3, "")
    assert err.splitlines() == [
        "one: starts",
        "one: failed (0 s)",
        "two: starts",
        "two: done (0 s)",
        "bridge: environment one: the disk is full; make room",
    ]
    assert run_bridge("env", "build", "two", "--quiet") == (0, "", "")


def test_check(run_bridge: Bridge, three: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(spec: EnvSpec) -> None:
        if spec.name == "two":
            raise EnvError("environment two: not built")

    monkeypatch.setattr(bridge.envs, "check", check)
    assert run_bridge("env", "check") == (0, "one: works\n", "")
    code, out, err = run_bridge("env", "check", "one", "two")
    assert (code, out, err) == (3, "one: works\n", "bridge: environment two: not built\n")


def test_doctor(run_bridge: Bridge) -> None:
    code, out, _ = run_bridge("doctor", "--json")
    found = {finding["what"]: finding["state"] for finding in json.loads(out)}
    assert code == 0
    assert found["python"] == found["uv"] == found["loopback"] == found["cache folder"] == "ok"
    assert found["environment one"] == "note"


def test_doctor_finds_a_cache_that_cannot_be_written(
    run_bridge: Bridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BRIDGE_HOME", str(tmp_path / "file" / "home"))
    code, out, _ = run_bridge("doctor")
    assert code == 3
    [line] = [line for line in out.splitlines() if line.startswith("cache folder")]
    assert "wrong" in line
    assert "set BRIDGE_HOME" in line
