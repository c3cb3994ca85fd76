"""The model behind a URL, for the time of a ``with`` block: a server that is there, or one that is started."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bridge.backend import EnvSpec
from bridge.errors import Problem
from bridge.report.schema import ModelInfo
from bridge.spec import ModelSpec


@dataclass(frozen=True)
class Served:
    """A model that answers."""

    base_url: str
    """Up to and including ``/v1``."""
    model: str
    """The model id to send. Of a deployed model it is a one-time name: another one each time."""
    identity: str
    """What stands for the model in the key of a cache: the same as long as it is the same model, whatever its id and
    port are now; another one when its weights or the way they are served change."""
    info: ModelInfo
    api_key: str | None = field(default=None, repr=False)
    api_key_env: str | None = None
    died: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a server that was started here ends by itself; then ``reason`` says why."""
    reason: list[str] = field(default_factory=list)
    """Empty, or one line."""


def environment_of(model: ModelSpec) -> EnvSpec:
    """The environment that serving it needs, for ``envs.ensure``; bridge's own for a server that is there."""
    raise NotImplementedError


def check(model: ModelSpec, *, field: str = "model") -> list[Problem]:
    """What is wrong with the way the model is given. Looks at files only, asks no network, starts nothing."""
    raise NotImplementedError


@asynccontextmanager
async def serve(
    model: ModelSpec,
    *,
    python: Path,
    concurrency: int,
    log: Path,
    progress: Callable[[str], None],
) -> AsyncIterator[Served]:
    """Serves the model until the block ends; ``python`` is the interpreter of ``environment_of(model)``.

    Raises ServeError where it cannot be reached or started.
    """
    raise NotImplementedError
    yield
