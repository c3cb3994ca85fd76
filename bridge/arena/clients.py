"""A model or a judge as a client that can be asked, for the time of a ``with`` block."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge.arena_spec import ArenaSpec
from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import Client
from bridge.envs import ensure
from bridge.errors import EnvError
from bridge.progress import Watcher
from bridge.rundir import RunDir
from bridge.serve import environment_of, serve
from bridge.spec import ModelSpec


@asynccontextmanager
async def connected(
    model: ModelSpec, spec: ArenaSpec, rundir: RunDir, store: RequestStore, watcher: Watcher
) -> AsyncIterator[Client]:
    """Serves the model where it is weights. Raises EnvError and ServeError."""
    environment = environment_of(model)
    built, stage = f"environment {environment.name}", f"model {model.name}"
    try:
        python = await ensure(environment, progress=lambda text: watcher.stage(built, "running", text))
    except EnvError:
        watcher.stage(built, "failed")
        raise
    async with serve(
        model,
        python=python,
        concurrency=spec.concurrency,
        log=rundir.serve_log(model.name),
        progress=lambda text: watcher.stage(stage, "running", text),
    ) as served:
        watcher.stage(stage, "done", served.shown_url or served.base_url)
        async with Client(
            served.base_url,
            api_key=served.api_key,
            store=store,
            concurrency=spec.concurrency,
            max_retries=spec.max_retries,
            timeout_s=spec.request_timeout_s,
            upstream=served.identity,
            rename={model.name: served.model},
            shown_url=served.shown_url,
            dialect=served.dialect,
        ) as client:
            yield client
