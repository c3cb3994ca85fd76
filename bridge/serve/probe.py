"""Asks a server which models it has."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

MAX_BYTES = 4 * 1024 * 1024
SHOWN_CHARS = 160


class NoAnswer(Exception):
    """The server was not reached, or what came is no list of models; one line that says so."""


class Refused(NoAnswer):
    """The server is there and answers with an HTTP error."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


async def model_ids(base_url: str, *, api_key: str | None, timeout_s: float) -> tuple[str, ...]:
    """The ids that ``GET <base_url>/models`` lists. Raises NoAnswer, within ``timeout_s`` in any case."""
    import aiohttp

    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    limit = aiohttp.ClientTimeout(total=timeout_s)
    url = f"{base_url.rstrip('/')}/models"
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=limit) as session, session.get(url) as response:
            body = await response.content.read(MAX_BYTES)
            while len(body) < MAX_BYTES and (more := await response.content.read(MAX_BYTES)):
                body += more
            return _read(url, response.status, body)
    except TimeoutError:
        raise NoAnswer(f"{url} gave no answer within {timeout_s:g} s") from None
    except aiohttp.ClientError as error:
        raise NoAnswer(f"{url}: {_in_words(error)}") from error


def _read(url: str, status: int, body: bytes) -> tuple[str, ...]:
    shown = " ".join(body.decode(errors="replace").split())[:SHOWN_CHARS]
    if status != 200:
        raise Refused(status, f"{url} answers HTTP {status}" + (f": {shown}" if shown else ""))
    try:
        return tuple(str(entry["id"]) for entry in json.loads(body)["data"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise NoAnswer(f"{url} answers something that is no list of models: {shown!r}") from None


def _in_words(error: aiohttp.ClientError) -> str:
    import aiohttp

    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return (
                f"no secure connection ({error.__class__.__name__}); set SSL_CERT_FILE to your authority's certificates"
            )
        case aiohttp.ClientConnectorDNSError():
            return f"the host {error.host!r} is not known"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return "connection refused, nothing listens there"
        case aiohttp.ClientConnectorError():
            return f"no connection: {error.os_error.strerror or error.os_error}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "the connection was closed without an answer"
        case _:
            return f"what answers there does not speak HTTP ({error.__class__.__name__})"


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
