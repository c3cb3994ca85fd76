"""What is installed: the wheel holds exactly what the repository holds, and stays light."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {"bridge": "bridge", "native": "bridge/native", "adapters": "bridge/adapters"}
LINKS = {"bridge/native", "bridge/adapters"}
MOST_MB = 300
TOO_HEAVY = {"torch", "transformers", "opencompass", "vlmeval", "vlmevalkit", "ms-swift", "modelscope", "datasets"}


def run(*argv: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run([str(part) for part in argv], cwd=cwd, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's files as a clone would have them, so that a build leaves nothing behind in it."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout: what belongs to the repository is not known")
    copy = tmp_path_factory.mktemp("clone")
    for name in run("git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if (ROOT / name).is_symlink() or (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    return copy


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built through the source distribution, as ``python -m build`` does, without asking any index."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, cwd=tree)
    [built] = out.glob("*.whl")
    return built


def test_wheel_holds_what_the_repository_holds(tree: Path, wheel: Path) -> None:
    expected = {
        "/".join([ROOMS[path.relative_to(tree).parts[0]], *path.relative_to(tree).parts[1:]])
        for room in ROOMS
        for path in (tree / room).rglob("*")
        if path.is_file() and not path.is_symlink() and not inside_link(path.relative_to(tree))
        if not {"__pycache__", "build"} & set(path.parts)
    }
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    held = {name for name in names if ".dist-info/" not in name}
    assert held == expected
    assert len(names) == len(set(names))


def inside_link(path: Path) -> bool:
    return any(path.is_relative_to(link) for link in LINKS)


def test_wheel_has_two_commands_and_the_license(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        scripts = archive.read(next(n for n in names if n.endswith("entry_points.txt"))).decode()
    assert "bridge = bridge.cli.main:entry" in scripts
    assert "evalbridge = bridge.cli.main:entry" in scripts
    assert any(name.endswith("/LICENSE") for name in names)


def test_rooms_are_linked_for_editors_and_type_checkers() -> None:
    assert {link for link in LINKS if (ROOT / link).is_symlink()} == LINKS
    assert (ROOT / "bridge/native").resolve() == ROOT / "native"


def test_the_core_names_no_framework() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {requirement.split(">")[0].split("[")[0].strip().lower() for requirement in project["dependencies"]}
    assert not names & TOO_HEAVY


@pytest.mark.env
@pytest.mark.parametrize("editable", [True, False], ids=["editable", "wheel"])
def test_installs_light_and_whole(tree: Path, tmp_path: Path, editable: bool) -> None:
    """In a fresh virtual environment with the pip that Python brings, as the README says."""
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", venv)
    bare = megabytes(venv)
    run(venv / "bin/python", "-m", "pip", "install", "--quiet", *(["-e"] if editable else []), tree)
    # Not from the tree, where `bridge` could be imported without being installed.
    for module in (
        "bridge.native.engine",
        "bridge.adapters.opencompass.backend",
        "bridge.cli.main",
        "bridge.report.html",
    ):
        run(venv / "bin/python", "-c", f"import {module}", cwd=tmp_path)
    assert "bridge 0." in run(venv / "bin/evalbridge", "--version", cwd=tmp_path)
    installed = {path.name.partition("-")[0].replace("_", "-").lower() for path in venv.rglob("*.dist-info")}
    assert "pydantic" in installed
    assert not installed & TOO_HEAVY
    size = megabytes(venv) - bare
    print(f"pip install {'-e ' if editable else ''}. adds {size:.0f} MB")
    assert size < MOST_MB


def megabytes(folder: Path) -> float:
    return sum(os.lstat(path).st_size for path in folder.rglob("*") if path.is_file()) / 1e6
