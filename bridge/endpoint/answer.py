"""What a request comes to: an ``Answer``, or ``RequestFailed``, or ``EndpointDown`` where the server is gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from bridge.errors import ServeError

FailureKind = Literal[
    "refused-by-server",
    "rate-limit",
    "server-error",
    "timeout",
    "connection",
    "garbage",
    "auth",
    "not-found",
    "context-length",
]


@dataclass(slots=True)
class Answer:
    """A well-formed answer of the model: status 200, JSON, at least one choice."""

    status: int
    body: bytes
    """As it came from the server."""
    tries: int
    """Requests that were sent for it; 0 where it comes from the cache."""
    cached: bool
    latency_s: float
    """From sending to the last byte, of the try that succeeded; of a cached answer, what it took when it was asked."""
    _json: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def json(self) -> dict[str, Any]:
        """The body, parsed once."""
        if self._json is None:
            self._json = orjson.loads(self.body)
        return self._json

    @property
    def text(self) -> str:
        """What the model wrote in its first choice; empty where it wrote nothing."""
        choice = self.json["choices"][0]
        content = choice["message"].get("content") if "message" in choice else choice.get("text")
        if isinstance(content, list):
            return "".join(part.get("text") or "" for part in content if isinstance(part, dict))
        return content or ""

    @property
    def reasoning(self) -> str | None:
        """What a thinking model wrote before its answer, where the server keeps it apart."""
        message = self.json["choices"][0].get("message") or {}
        return message.get("reasoning_content") or message.get("reasoning")

    @property
    def finish_reason(self) -> str | None:
        reason = self.json["choices"][0].get("finish_reason")
        return reason if isinstance(reason, str) else None

    @property
    def usage(self) -> dict[str, int] | None:
        """``prompt_tokens`` and ``completion_tokens``, where the server says."""
        usage = self.json.get("usage")
        if not isinstance(usage, dict):
            return None
        known = {name: usage.get(name) for name in ("prompt_tokens", "completion_tokens")}
        return {name: count for name, count in known.items() if isinstance(count, int)} or None


class RequestFailed(Exception):
    """One request that finally failed, after all its tries. It is counted, and never scored.

    ``message`` is one line and never holds the API key; ``status`` is 0 where there was no response.
    """

    def __init__(self, kind: FailureKind, message: str, *, status: int = 0, tries: int = 1, body: bytes = b"") -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.message = message
        self.status = status
        self.tries = tries
        self.body = body


class EndpointDown(ServeError):
    """The endpoint is gone: no further request is sent, whoever asks. One line with what to do."""
