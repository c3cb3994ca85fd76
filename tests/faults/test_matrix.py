"""Cells of the campaign. By default native under everything; with ``-m env`` the frameworks under what hurts most.

``python tests/faults/matrix.py`` runs all of them and prints the table that is in docs/reliability.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from disturbances import DISTURBANCES
from matrix import run_cell
from subjects import SUBJECTS

OWN_DISK = {"disk-full", "read-only"}
WORST = ("errors-30", "killed", "hangs", "null", "sigkill", "job-killed")


def can_mount(folder: Path) -> bool:
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True).returncode:
        return False
    subprocess.run(["umount", folder], check=True)
    return True


def hold(backend: str, fault: str, folder: Path) -> None:
    if fault in OWN_DISK and not can_mount(folder):
        pytest.skip("a disk of its own can be mounted by root only")
    disturbance = DISTURBANCES[fault]
    cell = run_cell(SUBJECTS[backend], disturbance, folder)
    assert cell.problems(disturbance) == [], f"{cell}"


@pytest.mark.parametrize("fault", DISTURBANCES)
def test_native(fault: str, tmp_path: Path) -> None:
    hold("native", fault, tmp_path)


@pytest.mark.env
@pytest.mark.parametrize("fault", WORST)
@pytest.mark.parametrize("backend", [name for name in SUBJECTS if name != "native"])
def test_frameworks(backend: str, fault: str, tmp_path: Path) -> None:
    hold(backend, fault, tmp_path)
