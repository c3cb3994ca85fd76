"""HTTP to one server, and nothing else: what comes back, or ``TryFailed`` where nothing does."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import NamedTuple
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from bridge.endpoint.verdict import TryFailed, one_line

_KEEPALIVE_S = 4.0
"""Less than the 5 seconds of uvicorn, which most model servers run on: never write into a connection it just closed."""
_LARGE_BODY = 1 << 20
_PROBE_TIMEOUT_S = 2.0


class Response(NamedTuple):
    status: int
    body: bytes
    retry_after: str | None


class Transport:
    """A pool of connections to ``base_url``. The key is in the session's headers and nowhere else."""

    def __init__(self, base_url: str, api_key: str | None, timeout_s: float, connect_timeout_s: float) -> None:
        # A key goes before a user and password in the URL: there is one Authorization header.
        self._base = (str(URL(base_url).with_user(None)) if api_key else base_url).rstrip("/")
        self._secret = (api_key or "").encode()
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=connect_timeout_s)
        self._proxy = _proxy_for(URL(self._base))
        self._urls: dict[str, URL] = {}
        self._session: aiohttp.ClientSession | None = None

    @property
    def where(self) -> str:
        """The server's address, without a password that may be in it."""
        return str(URL(self._base).with_user(None))

    async def open(self) -> None:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "evalbridge"}
        if self._secret:
            headers["Authorization"] = f"Bearer {self._secret.decode()}"
        self._session = aiohttp.ClientSession(
            # The caller limits how many requests are on the wire.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            timeout=self._timeout,
        )

    async def close(self) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    async def post(self, path: str, payload: bytes) -> Response:
        """Raises ``TryFailed`` where there is no whole response in time."""
        try:
            async with self._request("POST", path, payload) as response:
                body = await response.read()
                return self._safe(response, body)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._explained(error) from None

    @asynccontextmanager
    async def stream(self, path: str, payload: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response as it comes in. Raises ``TryFailed`` where it breaks off."""
        try:
            async with self._request("POST", path, payload) as response:
                yield response
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._explained(error) from None

    async def rest(self, response: aiohttp.ClientResponse) -> Response:
        """The whole of a response that turned out to be no stream."""
        return self._safe(response, await response.read())

    async def get(self, path: str) -> Response:
        """Raises ``TryFailed`` where there is no whole response in two seconds."""
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_S), self._request("GET", path, None) as response:
                return self._safe(response, await response.read())
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise self._explained(error, _PROBE_TIMEOUT_S) from None

    def _request(self, method: str, path: str, payload: bytes | None) -> aiohttp.client._RequestContextManager:
        assert self._session is not None, "used outside of its 'async with'"
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(self._base + path)
        # Above this size aiohttp wants a file, which it sends piece by piece.
        data = io.BytesIO(payload) if payload and len(payload) > _LARGE_BODY else payload
        return self._session.request(method, url, data=data, allow_redirects=False, proxy=self._proxy)

    def _safe(self, response: aiohttp.ClientResponse, body: bytes) -> Response:
        if response.status == 200:
            return Response(200, body, None)
        # Servers quote the key in their refusals.
        if self._secret:
            body = body.replace(self._secret, b"***")
        return Response(response.status, body, response.headers.get("Retry-After"))

    def _explained(self, error: Exception, timeout_s: float | None = None) -> TryFailed:
        match error:
            case aiohttp.ConnectionTimeoutError():
                return TryFailed("connection", f"no connection in {self._timeout.sock_connect:g} s", passing=True)
            case TimeoutError():
                limit = self._timeout.total if timeout_s is None else timeout_s
                return TryFailed("timeout", f"no answer in {limit:g} s", passing=True)
            case aiohttp.ClientPayloadError():
                return TryFailed("garbage", "the answer broke off before its end", passing=True, status=200)
            case aiohttp.ClientResponseError():
                return TryFailed("garbage", one_line(f"no HTTP: {error.message}"), passing=True)
            case aiohttp.ClientConnectorDNSError():
                return TryFailed("connection", "the host's name cannot be resolved", passing=True)
            case aiohttp.ServerDisconnectedError():
                return TryFailed("connection", "the server closed the connection without an answer", passing=True)
            case aiohttp.ClientSSLError():
                return TryFailed("connection", one_line(f"no TLS connection: {error}"), passing=True)
            case OSError(errno=int(number)) if number > 0:
                return TryFailed("connection", os.strerror(number).lower(), passing=True)
            case _:
                return TryFailed("connection", one_line(f"{error}" or type(error).__name__), passing=True)


def _proxy_for(url: URL) -> str | None:
    """The proxy that the environment names for this server; none for this machine itself."""
    host = url.host or ""
    try:
        is_here = ip_address(host).is_loopback
    except ValueError:
        is_here = host == "localhost"
    if is_here or proxy_bypass(host):
        return None
    return getproxies().get(url.scheme)
