"""What a room that shows the whole machine hides nevertheless."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bridge.sandbox import room
from bridge.sandbox.room import Room, command

KEY = "my key"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As if temporary folders were shown."""
    monkeypatch.setattr(room, "MASKED", ("/run", "/dev/shm"))
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


def keys_in(*places: Path) -> str:
    """All that a program in the room reads below them, which is nothing or an error."""
    look = 'for place; do cat "$place" "$place"/* 2>/dev/null; done; echo looked'
    argv = command(Room("everything"), ["/bin/sh", "-c", look, "sh", *map(str, places)])
    done = subprocess.run(argv, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("looked\n"), done.stderr
    return done.stdout.removesuffix("looked\n")


def key_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "key").write_text(KEY)
    return folder


def test_what_is_no_secret_is_shown(home: Path) -> None:
    assert keys_in(home, key_in(home / "papers")) == KEY


def test_folders_of_keys_are_empty(home: Path) -> None:
    assert keys_in(home, key_in(home / ".ssh"), key_in(home / ".config/gcloud")) == ""


@pytest.mark.parametrize("name", [".ssh", ".config/gcloud"])
def test_a_folder_of_keys_that_is_a_link(home: Path, name: str, tmp_path: Path) -> None:
    there = key_in(tmp_path / "elsewhere" / "keys")
    (home / name).parent.mkdir(exist_ok=True)
    (home / name).symlink_to(there)
    assert keys_in(home, home / name, there) == ""


def test_a_folder_of_keys_below_a_link(home: Path, tmp_path: Path) -> None:
    there = key_in(tmp_path / "elsewhere" / "gcloud")
    (home / ".config").symlink_to(there.parent)
    assert keys_in(home, home / ".config/gcloud", there) == ""


def test_a_home_that_is_a_link(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_in(home / ".ssh")
    link = tmp_path / "link"
    link.symlink_to(home)
    monkeypatch.setenv("HOME", str(link))
    assert keys_in(link, link / ".ssh", home / ".ssh") == ""


def test_a_file_of_keys_that_is_a_link(home: Path, tmp_path: Path) -> None:
    there = key_in(tmp_path / "elsewhere") / "key"
    (home / ".netrc").symlink_to(there)
    assert keys_in(home / ".netrc", there.parent) == ""


def test_links_that_lead_nowhere_or_to_what_is_hidden_already(home: Path) -> None:
    (home / ".ssh").symlink_to(home / "nowhere")
    (home / ".aws").symlink_to(home / ".aws")
    (home / ".gnupg").symlink_to("/dev/shm")
    (home / ".kube").symlink_to(key_in(home / ".docker"))
    assert keys_in(home, home / ".gnupg", home / ".kube") == ""
