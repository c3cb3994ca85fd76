"""The one way to a model: concurrency limit, cache, retries, circuit breaker, and a record of every request."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from bridge.endpoint.answer import Answer, EndpointDown, RequestFailed

if TYPE_CHECKING:
    from bridge.endpoint.cache import RequestStore

__all__ = ["Answer", "Client", "EndpointDown", "RequestFailed"]


class Client:
    """Asks one endpoint; an async context manager.

    ``concurrency`` is the limit of requests on the wire. More asks than that may be open: they wait their turn, and
    one that waits for its retry leaves its place to another. So keep a few more asks open than ``concurrency``.

    ``timeout_s`` is from sending a request to the last byte of its answer. ``max_retries`` counts the tries after the
    first. ``store`` None: nothing is cached or recorded. ``upstream`` stands for the server in the cache's keys;
    give one where a server that is started anew has another ``base_url`` each time (default: ``base_url``).
    """

    down: asyncio.Event
    """Set once the endpoint is given up; from then on every ask raises ``EndpointDown``."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None,
        store: RequestStore | None,
        concurrency: int,
        max_retries: int,
        timeout_s: float,
        connect_timeout_s: float = 10,
        upstream: str | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def down_reason(self) -> str:
        """Why the endpoint was given up and what to do, in one line; empty while it is up."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        raise NotImplementedError

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError

    async def ask(self, path: str, body: dict[str, Any], *, job: str, repeat: int = 0) -> Answer:
        """Posts ``body`` to ``path`` (``/chat/completions`` or ``/completions``) below the base URL.

        The answer comes from the cache where it is there, and is on disk before it is returned. Of a sampling request
        (temperature not 0, or n > 1) each ``repeat`` is an answer of its own; a greedy one has one answer.
        ``body`` may not ask for a stream.

        Raises ``RequestFailed`` where it finally failed, ``EndpointDown`` where the server is gone (or went while this
        waited), ``StoreError`` where the answer could not be written down.
        """
        raise NotImplementedError
