"""Keep-alive connections to one server, handed out to as many threads as ask.  Standard library only."""

from __future__ import annotations

import http.client
from collections import deque
from urllib.parse import urlsplit


class Connections:
    def __init__(self, base_url: str, timeout_s: float) -> None:
        url = urlsplit(base_url)
        self._make = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._host, self._timeout_s = url.netloc, timeout_s
        self._path = url.path.rstrip("/") + "/chat/completions"
        self._idle: deque[http.client.HTTPConnection] = deque()

    def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body of the response. Raises OSError or HTTPException where there is none."""
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._exchange(self._connect(), body, headers)
        try:
            return self._exchange(connection, body, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            # The server has closed it while it lay idle; what was sent on it was not read.
            return self._exchange(self._connect(), body, headers)

    def close(self) -> None:
        """Closes those that lie idle."""
        while self._idle:
            self._idle.pop().close()

    def _connect(self) -> http.client.HTTPConnection:
        return self._make(self._host, timeout=self._timeout_s)

    def _exchange(
        self, connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        try:
            connection.request("POST", self._path, body, headers)
            response = connection.getresponse()
            status, raw = response.status, response.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return status, raw
