"""Templates are compiled once for all runs; where that cannot be kept, pages are the same."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from fakes import make_report

from bridge.report import templating
from bridge.report.html import render_html


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("BRIDGE_HOME", str(tmp_path / "home"))
    templating.environment.cache_clear()
    yield tmp_path / "home"
    templating.environment.cache_clear()


def page(root: Path) -> str:
    templating.environment.cache_clear()
    return render_html(make_report(), root)


def test_compiled_once(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = page(tmp_path)
    assert list((home / "templates").iterdir())
    monkeypatch.delattr(jinja2.Environment, "_parse")
    assert page(tmp_path) == first


@pytest.mark.parametrize("left", [0, 3, 20, 40, 200])
def test_damaged_files_are_made_again(home: Path, tmp_path: Path, left: int) -> None:
    first = page(tmp_path)
    for file in (home / "templates").iterdir():
        file.write_bytes(file.read_bytes()[:left])
    assert page(tmp_path) == first


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(jinja2.FileSystemBytecodeCache, "dump_bytecode", full)
    assert "<html" in page(tmp_path)


def test_no_folder_to_keep_them_in(home: Path, tmp_path: Path) -> None:
    home.write_text("a file in its place")
    assert "<html" in page(tmp_path)
