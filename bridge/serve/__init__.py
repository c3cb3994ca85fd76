"""The model behind a URL, for the time of a ``with`` block: a server that is there, or one that is started."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.backend import EnvSpec
from bridge.errors import Problem, ServeError, SpecError
from bridge.report.schema import ModelInfo
from bridge.serve import external, local, own_servers, swift
from bridge.serve.deployment import deployed, loaded
from bridge.serve.deployment import describe as describe_deployed
from bridge.serve.served import Served
from bridge.serve.together import together
from bridge.spec import ModelSpec

__all__ = ["LOCAL_ENV", "Served", "check", "describe", "environment_of", "environments", "not_served"]
__all__ += ["serve", "serve_together", "together"]

OWN_ENV = EnvSpec("bridge")
LOCAL_ENV = local.ENV


def environments() -> tuple[EnvSpec, ...]:
    """All that serving may need."""
    return swift.ENV, local.ENV


def environment_of(model: ModelSpec) -> EnvSpec:
    """The environment that serving it needs, for ``envs.ensure``; bridge's own where nothing is started in one."""
    if model.local is not None:
        return local.ENV
    if model.deploy is not None and model.deploy.engine == "swift" and not model.deploy.command:
        return swift.ENV
    return OWN_ENV


def check(model: ModelSpec, *, field: str = "model") -> list[Problem]:
    """What is wrong with the way the model is given. Looks at files only, asks no network, starts nothing."""
    try:
        if model.local is not None:
            return list(local.check(model.local, f"{field}.local"))
        if model.deploy is None:
            return []
        engine = swift.check if model.deploy.engine == "swift" else own_servers.check
        return list(engine(model.deploy, f"{field}.deploy"))
    except SpecError as error:
        return list(error.problems)


def describe(model: ModelSpec) -> ModelInfo:
    """The model as the report names it, also where it was never served."""
    if model.endpoint is not None:
        return external.describe(model, model.endpoint)
    if model.local is not None:
        return local.describe(model, model.local)
    assert model.deploy is not None
    return describe_deployed(model, model.deploy)


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
    async with serve_together([model], python=python, concurrency=concurrency, log=log, progress=progress) as served:
        yield served[model.name]


@asynccontextmanager
async def serve_together(
    models: Sequence[ModelSpec], *, python: Path, concurrency: int, log: Path, progress: Callable[[str], None]
) -> AsyncIterator[dict[str, Served]]:
    """As ``serve``, for models that ``together`` has put into one group; by their names."""
    first = models[0]
    if first.endpoint is not None:
        async with external.serve(first, first.endpoint) as served:
            yield {first.name: served}
    elif first.local is not None:
        async with loaded(first, first.local, python=python, log=log, progress=progress) as served:
            yield {first.name: served}
    else:
        async with deployed(models, python=python, concurrency=concurrency, log=log, progress=progress) as group:
            yield group


def not_served(model: ModelSpec) -> Served:
    """A local model that every backend loads by itself."""
    if model.local is None:
        raise ServeError(f"model {model.name}: there is nobody to ask")
    path = model.local.path or ""
    return Served(base_url="", model=model.name, identity=local.identity(model.local, path), info=describe(model))
