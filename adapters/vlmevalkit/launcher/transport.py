"""HTTP to the gateway, on a connection per thread that stays open. It retries; here every request is sent once."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_here = threading.local()


@dataclass(frozen=True)
class Response:
    """What VLMEvalKit reads of a response of ``requests``."""

    status_code: int
    text: str

    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> str:
        """Why there is no answer, in one line; empty where there is one."""
        if 200 <= self.status_code < 300:
            return ""
        try:
            message = self.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            message = self.text[:200]
        return f"HTTP {self.status_code}: {' '.join(str(message).split())}"


class Poster:
    """Stands for the module ``requests`` in VLMEvalKit's API classes, which use its ``post`` only."""

    def post(self, url: str, headers: dict[str, str], data: str, **_: Any) -> Response:
        """Raises OSError where the gateway cannot be reached."""
        parts = urlsplit(url)
        body = data.encode()
        for last in (False, True):
            connection = _connection(parts.netloc)
            try:
                connection.request("POST", parts.path, body, headers)
                response = connection.getresponse()
                return Response(response.status, response.read().decode("utf-8", "replace"))
            except (http.client.HTTPException, OSError) as error:
                _here.open.pop(parts.netloc).close()
                if last or not isinstance(error, http.client.RemoteDisconnected | BrokenPipeError):
                    raise OSError(f"the gateway at {parts.netloc} cannot be reached: {error}") from error
        raise AssertionError("unreachable")


def _connection(netloc: str) -> http.client.HTTPConnection:
    """This thread's connection; one that the server has closed meanwhile is opened anew by the request."""
    if not hasattr(_here, "open"):
        _here.open = {}
    open_ones: dict[str, http.client.HTTPConnection] = _here.open
    return open_ones.setdefault(netloc, http.client.HTTPConnection(netloc))
