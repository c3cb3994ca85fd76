"""The environments for tests marked ``env``."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bridge import envs
from bridge.registry import backend

TORCH = "torch==2.13.0"


@pytest.fixture(scope="session")
def python() -> Path:
    """OpenCompass's environment as bridge makes it, without torch."""
    return asyncio.run(envs.ensure(backend("opencompass").env))


@pytest.fixture(scope="session")
def reference() -> Path:
    """The same with torch, for the ``opencompass`` command as a user has it; made once and kept beside the others."""
    spec = backend("opencompass").env
    assert spec.lock is not None
    key = hashlib.sha256(spec.lock.read_bytes() + TORCH.encode()).hexdigest()[:16]
    folder = envs.env_path(spec).parent / f"reference-opencompass-{key}"
    done = folder / "is-whole"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = str(Path(sys.executable).with_name("uv"))
        python = str(folder / "bin" / "python")
        find_links = _find_links()
        for argv in (
            [uv, "venv", "-q", "--python", spec.python, str(folder)],
            [uv, "pip", "sync", "-q", "--compile-bytecode", "--python", python, *find_links, str(spec.lock)],
            [uv, "pip", "install", "-q", "--compile-bytecode", "--python", python, *find_links, TORCH],
        ):
            subprocess.run(argv, check=True)
        done.touch()
    return folder / "bin" / "python"


def _find_links() -> list[str]:
    where = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS")
    return ["--find-links", where] if where else []
