"""One virtual environment per backend, made by uv from its lock, in a cache that all runs share.

``BRIDGE_HOME`` (default: ``evalbridge`` in the user's cache folder) holds
``envs/<name>-py<version>-<hash of the lock>``. An environment is built aside, checked, and renamed when it is whole:
one that is there works.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO

from bridge.backend import EnvSpec
from bridge.env_build import Environment, build, run_check
from bridge.errors import EnvError
from bridge.home import home as home

LOCK_POLL_S = 0.2
Progress = Callable[[str], None]


def lock_sha256(spec: EnvSpec) -> str | None:
    """Hash of the lock file; None where there is no lock. Raises EnvError where the file cannot be read."""
    if spec.lock is None:
        return None
    try:
        return hashlib.sha256(spec.lock.read_bytes()).hexdigest()
    except OSError as error:
        raise EnvError(f"environment {spec.name}: cannot read its lock {spec.lock}: {error.strerror}") from error


def env_path(spec: EnvSpec) -> Path:
    """The environment's folder, whether it is there or not; bridge's own where there is no lock."""
    sha256 = lock_sha256(spec)
    if sha256 is None:
        return Path(sys.prefix)
    return home() / "envs" / f"{spec.name}-py{spec.python}-{sha256[:12]}"


def installed(spec: EnvSpec) -> bool:
    """Whether ``ensure`` has nothing to do."""
    return spec.lock is None or _is_whole(env_path(spec))


async def ensure(spec: EnvSpec, *, progress: Progress | None = None) -> Path:
    """The environment's interpreter; built first where it is not there. ``sys.executable`` where there is no lock.

    Safe to call at the same time from any number of tasks and processes. Raises EnvError.
    """
    if spec.lock is None:
        return Path(sys.executable)
    path = env_path(spec)
    if not _is_whole(path):
        say = progress or (lambda line: None)
        async with _alone(path, say):
            if not _is_whole(path):
                await asyncio.to_thread(_sweep, path)
                await asyncio.to_thread(_sweep_abandoned, path.parent)
                await build(spec, path, say)
    return _python(path)


async def check(spec: EnvSpec) -> None:
    """Runs the environment's check command. Raises EnvError where it fails or the environment is not there."""
    if not installed(spec):
        raise EnvError(f"environment {spec.name}: not built; `bridge env build {spec.name}` makes it")
    python = _python(env_path(spec)) if spec.lock else Path(sys.executable)
    await run_check(spec, python, home() / "envs" / f"{spec.name}.check.log")


def remove(spec: EnvSpec) -> bool:
    """Deletes the environment; False where there is none. Raises EnvError while somebody builds it."""
    if spec.lock is None:
        raise EnvError(f"environment {spec.name}: it is bridge's own; only its user can remove that")
    return _remove(env_path(spec))


def list_environments() -> list[Environment]:
    """Every environment in the cache, also of locks that are no longer in use (no spec has their ``path``)."""
    whole = (path for path in sorted((home() / "envs").glob("[!.]*/")) if _is_whole(path))
    return [found for path in whole if (found := Environment.read(path)) is not None]


def remove_path(environment: Environment) -> None:
    """Deletes an environment from ``list_environments``, such as one that no spec stands for any more."""
    _remove(environment.path)


def _python(path: Path) -> Path:
    return path / "bin" / "python"


def _is_whole(path: Path) -> bool:
    """The interpreter is a link: it dangles where the Python that it was made of is gone."""
    return Environment.read(path) is not None and _python(path).exists()


def _remove(path: Path) -> bool:
    with _lock_file(path) as handle:
        if not _try_lock(handle):
            raise EnvError(f"{path}: another bridge is building it; wait for it")
        was_there = path.exists()
        if was_there:
            # A name that nobody looks for first: half an environment is never seen under its own.
            path.rename(path.with_name(f".{path.name}.{os.getpid()}.removed"))
        _sweep(path)
        path.with_name(f"{path.name}.log").unlink(missing_ok=True)
        return was_there


def _sweep(path: Path) -> None:
    """Deletes what killed builds and removals left; only under the lock."""
    for left in path.parent.glob(f".{path.name}.*"):
        shutil.rmtree(left, ignore_errors=True)
    if path.exists() and not _is_whole(path):
        shutil.rmtree(path, ignore_errors=True)


def _sweep_abandoned(folder: Path) -> None:
    """Deletes what killed builds of other environments left, such as of locks that nobody has any more."""
    for left in folder.glob(".*.*.*"):
        owner = folder / left.name[1:].rsplit(".", 2)[0]
        with _lock_file(owner) as handle:
            if _try_lock(handle):
                shutil.rmtree(left, ignore_errors=True)


@asynccontextmanager
async def _alone(path: Path, progress: Progress) -> AsyncIterator[None]:
    """Holds the right to build ``path``; the kernel takes it back from a process that dies."""
    with _lock_file(path) as handle:
        if not _try_lock(handle):
            progress("waiting for another bridge that builds it")
            while not _try_lock(handle):
                await asyncio.sleep(LOCK_POLL_S)
        yield


@contextmanager
def _lock_file(path: Path) -> Iterator[BinaryIO]:
    name = path.parent / "locks" / path.name
    try:
        name.parent.mkdir(parents=True, exist_ok=True)
        handle = name.open("ab")
    except OSError as error:
        message = f"{error.filename}: {error.strerror}; set BRIDGE_HOME to a folder that can be written"
        raise EnvError(f"the cache of environments cannot be used: {message}") from error
    with handle:
        yield handle


def _try_lock(handle: BinaryIO) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
