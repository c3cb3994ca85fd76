"""``vlm_runs`` and ``vlm_toys`` as fixtures and modules of these tests."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from vlm_runs import Ran, by_hand, make_task, run, started

from bridge.backend import Task


@pytest.fixture(scope="session")
def kit_run() -> Callable[..., Ran]:
    return run


@pytest.fixture(scope="session")
def kit_by_hand() -> Callable[..., dict[str, Any]]:
    return by_hand


@pytest.fixture(scope="session")
def kit_task() -> Callable[..., Task]:
    return make_task


@pytest.fixture(scope="session")
def kit_started() -> Callable[..., Any]:
    return started
