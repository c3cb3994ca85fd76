"""The model: OpenCompass's ``OpenAISDK`` as far as prompts and messages go, with a request of its own.

No tokenizer (OpenCompass would download one), no hidden retries (the gateway retries), no shortening of prompts or
answers to a guessed context length, and a connection that costs a tenth of the SDK's CPU time. A request that fails
answers with the run's marker, so that one sample is lost and not its dataset; without a marker it raises, as
OpenCompass does.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections import deque
from typing import Any
from urllib.parse import urlsplit

from opencompass.models import OpenAISDK

MARKER_ENV = "BRIDGE_FAILED_MARKER"


class RequestFailed(RuntimeError):
    """One line: why there is no answer."""


class Connections:
    """Keep-alive connections to one server, handed out to as many threads as ask."""

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


class BridgeChat(OpenAISDK):  # type: ignore[misc]
    """Named by its dotted path in the configuration; takes the arguments of ``OpenAISDK``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_seq_len": sys.maxsize, **kwargs})
        self._connections = Connections(self.openai_api_base, self.timeout)
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.keys[0]}"}
        self._marker = os.environ.get(MARKER_ENV, "")

    def _init_tokenizer(self) -> None:
        self.tokenizer_type = "guess"

    def _create_fresh_client(self) -> None:
        """The SDK's client is not used."""

    def get_token_len(self, prompt: str) -> int:
        return len(prompt) // 4 + 1

    def _generate(self, input: Any, max_out_len: int, temperature: float) -> str:
        try:
            return self._ask(input, max_out_len)
        except (OSError, ValueError, RequestFailed, http.client.HTTPException) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            self.logger.error(f"request failed: {reason}")
            if not self._marker:
                raise
            return f"{self._marker} {reason}"

    def _ask(self, prompt: Any, max_out_len: int) -> str:
        messages, max_tokens = self._preprocess_messages(
            prompt, max_out_len, self.max_seq_len, self.mode, self.get_token_len
        )
        body = {
            "model": self.path,
            "messages": self._messages_to_chat_completions(messages),
            "max_tokens": max_tokens,
            "temperature": self.temperature,
            **(self.openai_extra_kwargs or {}),
            **(self.extra_body or {}),
        }
        self.acquire()
        try:
            status, raw = self._connections.post(json.dumps(body).encode(), self._headers)
        finally:
            self.release()
        if status != http.client.OK:
            raise RequestFailed(f"{status} {raw[:200].decode('utf-8', 'replace')}")
        return self._text(json.loads(raw))

    def _text(self, answer: dict[str, Any]) -> str:
        """As ``OpenAISDK`` puts it together: the reasoning, its closing tag, the content."""
        choices = answer.get("choices")
        if not choices:
            raise RequestFailed("the answer has no choices")
        message = choices[0].get("message") or {}
        content = message.get("content") or ""
        reasoning = message.get("reasoning_content") or ""
        return f"{reasoning}{self.think_tag}{content}" if reasoning and content else reasoning or content
