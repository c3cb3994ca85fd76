"""A model and the way to it, for the time of a ``with`` block: its server, and the gateway in front of it."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bridge.arena_spec import ArenaSpec
from bridge.backend import Backend, Endpoint
from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import Client
from bridge.endpoint.gateway import Gateway
from bridge.launch import StopSignal
from bridge.progress import Watcher
from bridge.rundir import RunDir
from bridge.sandbox.room import Door
from bridge.serve import Served
from bridge.serve.abilities import Way
from bridge.spec import ModelSpec, TaskSpec

_LONGEST_FOLDER = 70
"""The path of a Unix socket may have about a hundred bytes."""


@dataclass(frozen=True)
class Connection:
    model: ModelSpec
    served: Served
    gateway: Gateway | None
    """None where every backend that asks this model is native."""
    door: Door | None = None
    """The gateway, for jobs that have no network."""
    likelihood: Way | Literal[""] = ""
    """How the server tells the log-probabilities of a prompt, where that has been found out."""

    def endpoint(self, backend: Backend, traffic_name: str, concurrency: int) -> Endpoint:
        """The model as one job of ``backend`` sees it; its traffic is recorded under ``traffic_name``."""
        if backend.route == "gateway" and self.gateway is not None:
            self.gateway.register(traffic_name, on_failure=backend.on_failed_request, concurrency=concurrency)
            return Endpoint(
                self.gateway.job_url(traffic_name),
                self.model.name,
                api_key=self.gateway.token,
                failed_marker=self.gateway.failed_marker,
            )
        return Endpoint(
            self.served.base_url,
            self.model.name,
            api_key_env=self.served.api_key_env,
            served_model=self.served.model,
            identity=self.served.identity,
            shown_url=self.served.shown_url,
            likelihood=self.likelihood,
            dialect=self.served.dialect,
        )


@asynccontextmanager
async def connect(
    model: ModelSpec,
    spec: TaskSpec,
    *,
    serving: AbstractAsyncContextManager[dict[str, Served]],
    rundir: RunDir,
    watcher: Watcher,
    stop: StopSignal,
    gateway_concurrency: int,
    failed_marker: str,
    warn: Callable[[str], None],
) -> AsyncIterator[Connection]:
    """Enters ``serving``, and opens a gateway where ``gateway_concurrency`` is not 0.

    ``stop`` is set when the model is lost: its server died, or does not answer any more. Raises ServeError.
    """
    async with serving as all_served:
        served = all_served[model.name]
        watcher.stage(f"model {model.name}", "done", served.base_url)
        with forward(served.died, lambda: stop.stop("endpoint", " ".join(served.reason))):
            if not gateway_concurrency:
                yield Connection(model, served, None)
                return
            opening = _gateway(model, spec, rundir, served, stop, gateway_concurrency, failed_marker, warn)
            async with opening as way, _door(way) as door:
                yield Connection(model, served, way, door)


def client_of(
    model: ModelSpec, served: Served, spec: TaskSpec | ArenaSpec, store: RequestStore, concurrency: int
) -> Client:
    """Asks the server for the model by the spec's name."""
    return Client(
        served.base_url,
        api_key=served.api_key,
        store=store,
        concurrency=concurrency,
        max_retries=spec.max_retries,
        timeout_s=spec.request_timeout_s,
        upstream=served.identity,
        shown_url=served.shown_url,
        rename={model.name: served.model},
        dialect=served.dialect,
    )


@asynccontextmanager
async def _gateway(
    model: ModelSpec,
    spec: TaskSpec,
    rundir: RunDir,
    served: Served,
    stop: StopSignal,
    concurrency: int,
    failed_marker: str,
    warn: Callable[[str], None],
) -> AsyncIterator[Gateway]:
    store = RequestStore(rundir.requests)
    with _telling(store, warn):
        client = client_of(model, served, spec, store, concurrency)
        async with client, Gateway(client, token=secrets.token_urlsafe(24), failed_marker=failed_marker) as gateway:
            with forward(client.down, lambda: stop.stop("endpoint", client.down_reason)):
                yield gateway


@asynccontextmanager
async def _door(gateway: Gateway) -> AsyncIterator[Door]:
    """A Unix socket that leads to the gateway, in a folder of the user's alone."""
    long = len(tempfile.gettempdir()) > _LONGEST_FOLDER
    with tempfile.TemporaryDirectory(prefix="bridge-", dir="/tmp" if long else None) as folder:
        door = Door(Path(folder) / "gateway", gateway.port)
        await gateway.listen_at(door.socket)
        yield door


@contextmanager
def _telling(store: RequestStore, warn: Callable[[str], None]) -> Iterator[None]:
    """The store open; what it has to say about its file is passed on when it is closed."""
    try:
        with store:
            yield
    finally:
        if store.warning:
            warn(store.warning)


@contextmanager
def forward(event: asyncio.Event, then: Callable[[], None]) -> Iterator[None]:
    """Calls ``then`` when the event is set, for as long as the block runs."""

    async def wait() -> None:
        await event.wait()
        then()

    task = asyncio.create_task(wait())
    try:
        yield
    finally:
        task.cancel()
