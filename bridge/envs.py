"""One virtual environment per backend, made by uv from its lock, in a cache that all runs share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.backend import EnvSpec


@dataclass(frozen=True)
class Environment:
    """An environment on disk."""

    name: str
    path: Path
    lock_sha256: str
    python: str
    version: str
    built_at: str
    build_s: float
    size_bytes: int


async def ensure(spec: EnvSpec, *, progress: Callable[[str], None] | None = None) -> Path:
    """The environment's interpreter; built first where it is not there. ``sys.executable`` where there is no lock.

    Safe to call at the same time from any number of tasks and processes. Raises EnvError.
    """
    raise NotImplementedError


def installed(spec: EnvSpec) -> bool:
    """Whether ``ensure`` has nothing to do."""
    raise NotImplementedError


def env_path(spec: EnvSpec) -> Path:
    """The environment's folder, whether it is there or not."""
    raise NotImplementedError


def lock_sha256(spec: EnvSpec) -> str | None:
    """Hash of the lock file; None where there is no lock."""
    raise NotImplementedError


async def check(spec: EnvSpec) -> None:
    """Runs the environment's check command. Raises EnvError where it fails or the environment is not there."""
    raise NotImplementedError


def remove(spec: EnvSpec) -> bool:
    """Deletes the environment; False where there is none. Raises EnvError while somebody builds it."""
    raise NotImplementedError


def list_environments() -> list[Environment]:
    """Every environment in the cache, also of locks that are no longer in use (no spec has their ``path``)."""
    raise NotImplementedError


def remove_path(environment: Environment) -> None:
    """Deletes an environment from ``list_environments``, such as one that no spec stands for any more."""
    raise NotImplementedError
