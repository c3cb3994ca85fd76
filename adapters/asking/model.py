"""One model, seen from inside a job: a chat request in, a reply or ``NotAnswered`` out.

The gateway in front of the model retries, caches and limits, so nothing here does.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Any, Self

import aiohttp

from bridge.spec import JsonObject

_SHOWN_CHARS = 300


class NotAnswered(Exception):
    """A request that finally failed; the message is one line. Never scored, only counted."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The model's first choice."""

    text: str
    tool_calls: tuple[JsonObject, ...] = ()
    """As they came: ``{"id", "type", "function": {"name", "arguments"}}``."""
    finish_reason: str | None = None
    usage: dict[str, int] | None = None
    latency_s: float = 0.0


class Model:
    """A chat endpoint; an async context manager."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def from_environment(cls, prefix: str) -> Self:
        """The model that ``told`` has described to this process. Raises SystemExit where it has not."""
        try:
            return cls(os.environ[f"{prefix}_URL"], os.environ[f"{prefix}_KEY"])
        except KeyError as error:
            raise SystemExit(f"the environment variable {error.args[0]} is not set: bridge starts this job") from None

    async def __aenter__(self) -> Self:
        # No time limit here: how long an answer may take is request_timeout_s, and the gateway keeps to it.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None), headers=self._headers
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, body: JsonObject) -> Reply:
        """The reply to one chat request. Raises NotAnswered."""
        if self._session is None:
            raise RuntimeError("a Model is used inside 'async with'")
        started = monotonic()
        try:
            async with self._session.post(self._url, json=body) as response:
                status, raw = response.status, await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise NotAnswered(f"no connection: {_one_line(str(error)) or type(error).__name__}") from None
        if status != 200:
            raise NotAnswered(f"HTTP {status}: {_what_it_says(raw)}")
        return _reply(raw, monotonic() - started)


def _reply(raw: bytes, latency_s: float) -> Reply:
    try:
        body = json.loads(raw)
        choice = body["choices"][0]
        message = choice["message"]
        return Reply(
            text=_text(message.get("content")),
            tool_calls=tuple(message.get("tool_calls") or ()),
            finish_reason=choice.get("finish_reason"),
            usage=_usage(body.get("usage")),
            latency_s=round(latency_s, 3),
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        raise NotAnswered(f"not an answer: {_one_line(raw.decode(errors='replace'))}") from None


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content)
    return content or ""


def _usage(usage: Any) -> dict[str, int] | None:
    counts = {name: (usage or {}).get(name) for name in ("prompt_tokens", "completion_tokens")}
    return {name: count for name, count in counts.items() if isinstance(count, int)} or None


def _what_it_says(raw: bytes) -> str:
    try:
        body = json.loads(raw)
        error = body.get("error", body)
        return _one_line(str(error.get("message", error) if isinstance(error, dict) else error))
    except (ValueError, AttributeError):
        return _one_line(raw.decode(errors="replace"))


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARS else line[: _SHOWN_CHARS - 1] + "…"
