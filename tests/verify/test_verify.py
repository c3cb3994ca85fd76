"""A real small run, made once; each test spoils a copy of it in one way."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from command import bridge
from fault_server import FaultServer
from server_thread import serving

from bridge.errors import OutputError
from bridge.pins import pinned, read_pins
from bridge.rundir import RunDir
from bridge.runs import remake_report, run
from bridge.seal import write_seal
from bridge.spec import TaskSpec
from bridge.spec_file import recorded_spec
from bridge.verify import verify
from bridge.verify.again import differences

ROWS = [{"query": f"{n} + {n} = ?", "response": str(2 * n)} for n in range(1, 9)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("verify")
    data = folder / "data" / "sums.jsonl"
    data.parent.mkdir()
    data.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in ROWS))
    with serving(FaultServer(model="m")) as thread:
        model = {"name": "m", "endpoint": {"base_url": thread.server.base_url}}
        dataset = {"name": "general_qa", "alias": "sums", "path": str(data)}
        run(TaskSpec.model_validate({"model": model, "datasets": [dataset]}), output=folder / "run")
    yield folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "run", tmp_path / "run"))


def wrong(root: Path) -> dict[str, str]:
    return {finding.file: finding.message for finding in verify(root).findings if finding.state == "wrong"}


def test_a_run_that_nobody_touched_is_whole(copy: Path) -> None:
    found = verify(copy)
    assert (found.ok, found.findings, found.n_samples) == (True, (), len(ROWS))
    assert found.n_files == len(json.loads((copy / "seal.json").read_text())["files"]) > 8
    assert list(differences(copy)) == []


def test_a_report_that_was_made_again_is_sealed_again(copy: Path) -> None:
    remake_report(copy)
    assert verify(copy).findings == ()


def test_looking_changes_nothing(copy: Path) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file() and path.name != ".lock"}
    done = bridge("verify", copy, "--again")
    after = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file() and path.name != ".lock"}
    assert done.exit_code == 0, done.stdout + done.stderr
    assert {p.name for p in after.keys() ^ before.keys()} <= {"requests.sqlite-shm", "requests.sqlite-wal"}
    assert all(after[path] == content for path, content in before.items() if "sqlite-" not in path.name)


@pytest.mark.parametrize("name", ["report.json", "report.md", "report.html", "spec.yaml", "pins.json"])
def test_one_changed_byte_is_found(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[-1] ^= 1
    (copy / name).write_bytes(content)
    assert name in wrong(copy)


def test_a_score_that_was_made_better_is_found_and_also_without_the_seal(copy: Path) -> None:
    samples = next(copy.glob("samples/native/*.jsonl"))
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    name = samples.relative_to(copy).as_posix()
    better = [{**line, "scores": dict.fromkeys(line["scores"], 1.0)} for line in lines]
    samples.write_text("".join(json.dumps(line) + "\n" for line in better))
    assert "was changed" in wrong(copy)[name]
    assert [finding.file for finding in differences(copy)] == [name]


def test_a_value_that_was_made_better_is_found_by_reading_again(copy: Path) -> None:
    report = json.loads((copy / "report.json").read_text())
    report["results"][0]["value"] = 0.99
    (copy / "report.json").write_text(json.dumps(report))
    told = list(differences(copy))
    assert len(told) == 1
    assert "value is 0.99" in told[0].message


def test_lost_samples_are_found(copy: Path) -> None:
    samples = next(copy.glob("samples/native/*.jsonl"))
    samples.unlink()
    assert wrong(copy)[samples.relative_to(copy).as_posix()]


def test_half_a_line_of_samples_is_found(copy: Path) -> None:
    samples = next(copy.glob("samples/native/*.jsonl"))
    samples.write_bytes(samples.read_bytes()[:-20])
    told = wrong(copy)
    assert samples.relative_to(copy).as_posix() in told


def test_another_runs_report_is_found(copy: Path) -> None:
    report = json.loads((copy / "report.json").read_text())
    report["run"]["id"] = "other"
    (copy / "report.json").write_text(json.dumps(report))
    messages = [finding.message for finding in verify(copy).findings]
    assert any("is of another run" in message for message in messages)


def test_a_damaged_answer_in_the_store_is_found(copy: Path) -> None:
    with sqlite3.connect(copy / "requests.sqlite") as store:
        store.execute("UPDATE requests SET body = x'00' WHERE id = (SELECT min(id) FROM requests)")
    store.close()
    assert wrong(copy) == {"requests.sqlite": "1 answers in it are damaged"}


def test_a_request_that_is_missing_in_the_store_is_found(copy: Path) -> None:
    with sqlite3.connect(copy / "requests.sqlite") as store:
        store.execute("DELETE FROM requests WHERE id = (SELECT min(id) FROM requests)")
    store.close()
    assert "holds 7 requests" in wrong(copy)["requests.sqlite"]


def test_a_store_that_is_gone_is_found(copy: Path) -> None:
    for path in copy.glob("requests.sqlite*"):
        path.unlink()
    assert wrong(copy) == {"requests.sqlite": "is gone; the report counts 8 requests"}


def test_samples_outside_of_the_run_are_not_read(copy: Path) -> None:
    report = json.loads((copy / "report.json").read_text())
    report["results"][0]["samples"] = "../../secret.jsonl"
    (copy / "report.json").write_text(json.dumps(report))
    assert any("outside of the run" in finding.message for finding in verify(copy).findings)


def test_what_was_added_is_worth_a_note(copy: Path) -> None:
    (copy / "notes.txt").write_text("mine")
    found = verify(copy)
    assert found.ok
    assert [(finding.state, finding.file) for finding in found.findings] == [("note", "notes.txt")]


def test_the_digest_that_was_noted_must_be_the_seals(copy: Path) -> None:
    digest = verify(copy).digest
    assert bridge("verify", copy, "--digest", str(digest)).exit_code == 0
    (copy / "report.md").write_text("better")
    write_seal(RunDir(copy))
    done = bridge("verify", copy, "--digest", str(digest))
    assert done.exit_code == 6
    assert f"not {digest}" in done.stdout


def test_a_folder_without_a_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no run in this folder"):
        verify(tmp_path)
    done = bridge("verify", tmp_path)
    assert (done.exit_code, done.stderr.count("\n")) == (6, 1)


def test_the_pins_name_packages_data_and_hardware(copy: Path, made: Path) -> None:
    pins = read_pins(RunDir(copy))
    assert pins is not None
    assert any(package.startswith("aiohttp==") for package in pins.environments["native"].packages)
    assert pins.datasets == {"sums": pinned(made / "data" / "sums.jsonl")}
    assert int(pins.hardware["cpus"]) >= 1


def test_data_that_changed_since_is_a_note(made: Path, copy: Path) -> None:
    data = made / "data" / "sums.jsonl"
    before = data.read_bytes()
    try:
        data.write_bytes(before + b'{"query": "1", "response": "1"}\n')
        found = verify(copy)
    finally:
        data.write_bytes(before)
    assert found.ok
    assert "has changed since the run" in found.findings[0].message


def test_data_that_cannot_be_read_ends_no_run(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a checkpoint is removed while it is hashed."""

    def gone(path: Path) -> None:
        raise FileNotFoundError(2, "No such file or directory", str(path / "optimizer.pt"))

    monkeypatch.setattr("bridge.pins.pinned", gone)
    with serving(FaultServer(model="m")) as thread:
        model = {"name": "m", "endpoint": {"base_url": thread.server.base_url}}
        dataset = {"name": "general_qa", "alias": "sums", "path": str(made / "data" / "sums.jsonl")}
        report = run(TaskSpec.model_validate({"model": model, "datasets": [dataset]}), output=tmp_path / "run")
    assert report.exit_code == 0
    pins = read_pins(RunDir(tmp_path / "run"))
    assert pins is not None and "optimizer.pt: No such file" in pins.unread["sums"]
    found = verify(tmp_path / "run")
    assert found.ok and "could not be read when the run was made" in found.findings[0].message


def test_a_run_that_lost_its_seal_gets_one_when_it_is_asked_for_again(made: Path, copy: Path) -> None:
    (copy / "seal.json").unlink()
    assert not verify(copy).ok
    run(recorded_spec(copy / "spec.yaml"), output=copy)
    assert verify(copy).findings == ()


def test_the_same_run_twice_gives_the_same_report_up_to_times(made: Path, tmp_path: Path) -> None:
    data = made / "data" / "sums.jsonl"
    with serving(FaultServer(model="m")) as thread:
        model = {"name": "m", "endpoint": {"base_url": thread.server.base_url}}
        dataset = {"name": "general_qa", "alias": "sums", "path": str(data)}
        spec = TaskSpec.model_validate({"model": model, "datasets": [dataset]})
        first, second = (run(spec, output=tmp_path / name) for name in "ab")
    assert first.results == second.results
    assert timeless(tmp_path / "a") == timeless(tmp_path / "b")
    assert (tmp_path / "a" / "pins.json").read_bytes() == (tmp_path / "b" / "pins.json").read_bytes()


def timeless(root: Path) -> list[dict[str, object]]:
    lines = next(root.glob("samples/native/*.jsonl")).read_text().splitlines()
    return [{**json.loads(line), "latency_s": None} for line in lines]


def test_the_weights_of_a_local_model_are_pinned(tmp_path: Path) -> None:
    from bridge.pins import _weights
    from bridge.spec import ModelSpec

    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    local = ModelSpec.model_validate({"name": "mine", "local": {"path": str(tmp_path)}})
    own = ModelSpec.model_validate({"name": "kit", "local": {"name": "SmolVLM"}})
    assert [name for name, _ in _weights([local, own])] == ["mine"]
