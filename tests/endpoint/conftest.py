from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from endpoint_asks import KEY, MARKER, Framework, NewClient
from fault_server import FaultServer

from bridge.endpoint import backoff, breaker
from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import Client
from bridge.endpoint.gateway import Gateway


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as running:
        yield running


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    return tmp_path / "requests.sqlite"


@pytest.fixture
def store(requests: Path) -> Iterator[RequestStore]:
    with RequestStore(requests) as opened:
        yield opened


@pytest.fixture
async def new_client(server: FaultServer, store: RequestStore) -> AsyncIterator[NewClient]:
    """Makes clients of ``server`` that write to ``store``, with settings of their own where given."""
    async with AsyncExitStack() as stack:

        async def new(**settings: Any) -> Client:
            usual: dict[str, Any] = {"base_url": server.base_url, "api_key": KEY, "store": store, "concurrency": 8}
            usual |= {"max_retries": 3, "timeout_s": 5.0}
            return await stack.enter_async_context(Client(**(usual | settings)))

        yield new


@pytest.fixture
async def client(new_client: NewClient) -> Client:
    made: Client = await new_client()
    return made


@pytest.fixture
async def gateway(client: Client) -> AsyncIterator[Gateway]:
    """With two jobs: ``errors`` gets HTTP errors, ``marks`` gets placeholders."""
    async with Gateway(client, token="token-of-this-run", failed_marker=MARKER) as opened:
        opened.register("errors", on_failure="error", concurrency=8)
        opened.register("marks", on_failure="placeholder", concurrency=8)
        yield opened


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between tries and the patience with a dead server are a fiftieth of what they are."""
    monkeypatch.setattr(backoff, "FIRST_S", backoff.FIRST_S / 50)
    for name in ("BROKEN_FOR_S", "PROBE_FOR_S", "PROBE_PAUSE_S"):
        monkeypatch.setattr(breaker, name, getattr(breaker, name) / 50)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as opened:
        yield opened


@pytest.fixture
def errors(gateway: Gateway, session: aiohttp.ClientSession) -> Framework:
    return Framework(gateway, session, "errors")


@pytest.fixture
def marks(gateway: Gateway, session: aiohttp.ClientSession) -> Framework:
    return Framework(gateway, session, "marks")
