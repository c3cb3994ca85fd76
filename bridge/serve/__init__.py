"""The model behind a URL, for the time of a ``with`` block: a server that is there, or one that is started."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.backend import EnvSpec
from bridge.errors import Problem, SpecError
from bridge.report.schema import ModelInfo
from bridge.serve import external, hub, swift
from bridge.serve.probe import free_port
from bridge.serve.served import Served
from bridge.serve.server import Start, running
from bridge.spec import DeploySpec, ModelSpec, expanded

__all__ = ["Served", "check", "describe", "environment_of", "serve"]

OWN_ENV = EnvSpec("bridge")


def environment_of(model: ModelSpec) -> EnvSpec:
    """The environment that serving it needs, for ``envs.ensure``; bridge's own for a server that is there."""
    return OWN_ENV if model.deploy is None else swift.ENV


def check(model: ModelSpec, *, field: str = "model") -> list[Problem]:
    """What is wrong with the way the model is given. Looks at files only, asks no network, starts nothing."""
    if model.deploy is None:
        return []
    try:
        return list(swift.check(model.deploy, f"{field}.deploy"))
    except SpecError as error:
        return list(error.problems)


def describe(model: ModelSpec) -> ModelInfo:
    """The model as the report names it, also where it was never served."""
    if model.endpoint is not None:
        return external.describe(model, model.endpoint)
    assert model.deploy is not None
    return swift.describe(model, model.deploy)


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
    if model.endpoint is not None:
        async with external.serve(model, model.endpoint) as served:
            yield served
    else:
        assert model.deploy is not None
        async with _deployed(model, model.deploy, python, concurrency, log, progress) as served:
            yield served


@asynccontextmanager
async def _deployed(
    model: ModelSpec, deploy: DeploySpec, python: Path, concurrency: int, log: Path, progress: Callable[[str], None]
) -> AsyncIterator[Served]:
    environ = swift.environment(deploy, local=False)
    path = await hub.locate(expanded(deploy.path), f"model {model.name}", environ)
    adapters = [await hub.locate(expanded(one), f"adapter of {model.name}", environ) for one in deploy.adapters]
    settings = swift.arguments(deploy, path=path, adapters=adapters, concurrency=concurrency)
    port, served_name = free_port(), _one_time_name(model.name)
    start = Start(
        what=f"ms-swift with {model.name}",
        argv=swift.command_line(python, settings, port=port, served_name=served_name),
        env=swift.environment(deploy, local=all(Path(folder).is_dir() for folder in (path, *adapters))),
        log=log,
        host=swift.HOST,
        port=port,
        served_name=served_name,
        listening=swift.LISTENING,
        timeout_s=deploy.startup_timeout_s,
        hint=swift.hint,
    )
    async with running(start, progress) as server:
        yield Served(
            base_url=server.base_url,
            model=served_name,
            identity=swift.identity(settings, deploy.env),
            info=swift.describe(model, deploy),
            died=server.died,
            reason=server.reason,
        )


def _one_time_name(name: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9._-]', '-', name)}-{secrets.token_hex(6)}"
