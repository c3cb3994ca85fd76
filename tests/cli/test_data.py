"""``bridge data check``: what is there, what is missing, how it is to lie, where it is to be had; and fetching it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import opencompass_toys as toys
import pytest
from command import bridge
from test_downloads import Store, serving, zipped

from bridge.adapters.opencompass import data_files
from bridge.cli import data as data_command
from bridge.data_state import DataArchive


@pytest.fixture
def data(tmp_path: Path) -> Path:
    toys.write_all(tmp_path / "data")
    return tmp_path / "data"


def test_present_and_missing_files_are_told_with_layout_and_source(data: Path) -> None:
    ran = bridge("data", "check", "--backend", "opencompass", "gsm8k", "bbh", "siqa", "--data", str(data))
    assert ran.exit_code == 2
    lines = ran.stdout.splitlines()
    assert lines[1].split() == ["gsm8k", "present", "2", "0"]
    assert lines[2].split() == ["bbh", "partly", "2", "25"]
    assert lines[3].split()[:2] == ["siqa", "missing"]
    assert "MD5 60c49f9bef5148aa7e1941328e96a554" in ran.stdout
    assert "expected: dev.jsonl, dev-labels.lst, train.jsonl, train-labels.lst" in ran.stdout
    assert "OpenCompassData-core-20240207.zip (no checksum is published)" in ran.stdout
    assert "ModelScope: opencompass/siqa" in ran.stdout


def test_all_there_ends_with_zero_and_nothing_is_fetched(data: Path) -> None:
    before = sorted(data.rglob("*"))
    ran = bridge("data", "check", "gsm8k", "--data", str(data))
    assert ran.exit_code == 0
    assert sorted(data.rglob("*")) == before


def test_the_folder_is_that_of_the_environment_or_of_the_spec(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGE_DATA", str(data))
    assert bridge("data", "check", "gsm8k").exit_code == 0
    monkeypatch.delenv("BRIDGE_DATA")
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        f"model: {{name: m, endpoint: {{base_url: 'http://127.0.0.1:9/v1'}}}}\nbackend: opencompass\ndata: {data}\n"
        "datasets: [gsm8k, siqa]\n",
        encoding="utf-8",
    )
    ran = bridge("data", "check", "--spec", str(spec), "--json")
    assert ran.exit_code == 2
    states = {state["dataset"]: state for state in json.loads(ran.stdout)}
    assert states.keys() == {"gsm8k", "siqa"}
    assert states["gsm8k"]["missing"] == [] and len(states["gsm8k"]["present"]) == 2


def test_without_names_all_usable_datasets_are_checked(data: Path) -> None:
    ran = bridge("data", "check", "--data", str(data), "--json")
    states = json.loads(ran.stdout)
    assert len(states) > 120
    assert not [state["dataset"] for state in states if not state["missing"] and not state["present"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gsm9k"], "did you mean 'gsm8k'?"),
        (["--backend", "native", "gsm8k"], "native does not say which files it reads"),
        (["--download", "siqa"], "give --data FOLDER"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRIDGE_DATA", raising=False)
    ran = bridge("data", "check", *arguments)
    assert ran.exit_code == 2
    assert said in ran.stderr and "Traceback" not in ran.stderr


def test_missing_files_are_fetched_when_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("dev.jsonl", "dev-labels.lst", "train.jsonl", "train-labels.lst")
    content = zipped(**{f"siqa__{name}": "{}" for name in names})
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    with serving(Store(content, cut_after=[100])) as store:
        monkeypatch.setattr(data_files, "archive_of", lambda path: DataArchive(store.url, md5, "data"))
        told = bridge("data", "check", "siqa", "--data", str(tmp_path), "--download")
    assert told.exit_code == 0
    assert "siqa     present  4        0" in told.stdout
    assert "4 files" in told.stderr
    assert len(store.asked) == 2
    assert sorted(path.name for path in (tmp_path / "data" / "siqa").iterdir()) == sorted(names)
    assert list((tmp_path / ".downloads").iterdir()) == []


def test_without_a_network_the_download_says_so_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Store(b"")) as store:
        url = store.url
    monkeypatch.setattr(data_files, "archive_of", lambda path: DataArchive(url, "", "data"))
    monkeypatch.setattr("bridge.downloads.time.sleep", lambda seconds: None)
    told = bridge("data", "check", "siqa", "--data", str(tmp_path), "--download")
    assert told.exit_code == data_command.EXIT_MISSING
    (line,) = told.stderr.splitlines()
    assert "cannot be reached" in line and "put the files there yourself" in line
