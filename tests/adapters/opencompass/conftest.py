"""The environments for tests marked ``env``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from opencompass_by_hand import reference_python

from bridge import envs
from bridge.registry import backend


@pytest.fixture(scope="session")
def python() -> Path:
    """OpenCompass's environment as bridge makes it, without torch."""
    return asyncio.run(envs.ensure(backend("opencompass").env))


@pytest.fixture(scope="session")
def reference() -> Path:
    return reference_python()
