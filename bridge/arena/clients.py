"""A model or a judge as a client that can be asked, for the time of a ``with`` block."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bridge.arena_spec import ArenaSpec
from bridge.connect import client_of
from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import Client
from bridge.envs import ensure
from bridge.errors import EnvError
from bridge.progress import Watcher
from bridge.rundir import RunDir
from bridge.serve import Served, environment_of, serve_together
from bridge.spec import ModelSpec


@asynccontextmanager
async def connected(
    model: ModelSpec, spec: ArenaSpec, rundir: RunDir, store: RequestStore, watcher: Watcher
) -> AsyncIterator[Client]:
    """Serves the model where it is weights. Raises EnvError and ServeError."""
    async with (
        serving([model], spec, rundir, watcher) as served,
        asking(model, served[model.name], spec, store) as client,
    ):
        yield client


@asynccontextmanager
async def serving(
    models: Sequence[ModelSpec], spec: ArenaSpec, rundir: RunDir, watcher: Watcher
) -> AsyncIterator[dict[str, Served]]:
    """Models that one process can serve (``bridge.serve.together``), by name. Raises EnvError and ServeError."""
    first = models[0]
    environment = environment_of(first)
    built, stage = f"environment {environment.name}", f"model {first.name}"
    try:
        python = await ensure(environment, progress=lambda text: watcher.stage(built, "running", text))
    except EnvError:
        watcher.stage(built, "failed")
        raise
    async with serve_together(
        models,
        python=python,
        concurrency=spec.concurrency,
        log=rundir.serve_log(first.name),
        progress=lambda text: watcher.stage(stage, "running", text),
    ) as served:
        for name, one in served.items():
            watcher.stage(f"model {name}", "done", one.shown_url or one.base_url)
        yield served


@asynccontextmanager
async def asking(model: ModelSpec, served: Served, spec: ArenaSpec, store: RequestStore) -> AsyncIterator[Client]:
    """A client of the model that is served."""
    async with client_of(model, served, spec, store, spec.concurrency) as client:
        yield client
