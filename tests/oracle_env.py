"""Other people's programs as judges of ours, each in an environment of its own, made on first use from tests/locks."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bridge.backend import EnvSpec
from bridge.envs import ensure
from bridge.process import clean_env

LOCKS = Path(__file__).parent / "locks"
TIMEOUT_S = 300


def oracle(name: str, imports: str, python: str = "3.11") -> Path:
    """The interpreter of ``tests/locks/<name>.lock``'s environment. Raises EnvError where it cannot be made."""
    spec = EnvSpec(f"test-{name}", LOCKS / f"{name}.lock", python, check=("-c", f"import {imports}"))
    with pytest.MonkeyPatch.context() as patch:
        # pyenv puts programs on the PATH that end with an error for every Python that is not switched on.
        root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
        real = [str(folder) for folder in sorted(root.glob(f"versions/{python}.*/bin"))]
        patch.setenv("PATH", os.pathsep.join([*real, os.environ["PATH"]]))
        return asyncio.run(ensure(spec))


def ask(python: Path, code: str, given: Any, folder: Path) -> Any:
    """What the code prints as JSON; ``given`` is its variable of that name."""
    script = f"import json, sys\ngiven = json.load(sys.stdin)\n{code}"
    done = run(python, ["-c", script], folder, json.dumps(given))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run(
    python: Path, arguments: list[str], folder: Path, stdin: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=TIMEOUT_S,
        env=clean_env({"HOME": str(folder), **env}),
    )
