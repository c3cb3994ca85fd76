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
from typing import Any

from opencompass.models import OpenAISDK

from .connections import Connections

MARKER_ENV = "BRIDGE_FAILED_MARKER"
JUDGE_URL_ENV, JUDGE_KEY_ENV = "BRIDGE_JUDGE_URL", "BRIDGE_JUDGE_KEY"


CUT_OFF = ("content_filter", "length")
"""With these an empty text is none of the model's answers."""


class RequestFailed(RuntimeError):
    """One line: why there is no answer."""


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
        if self._marker and self._marker in str(prompt):
            raise RequestFailed("it would be about an answer that is not there")
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
        reason = choices[0].get("finish_reason")
        if not content and reason in CUT_OFF:
            raise RequestFailed(f"the answer is empty (finish_reason {reason})")
        return f"{reasoning}{self.think_tag}{content}" if reasoning and content else reasoning or content


class BridgeJudge(BridgeChat):
    """The judge, which an evaluator asks while it scores; where it is, only the environment says."""

    def __init__(self, **kwargs: Any) -> None:
        where = {"openai_api_base": os.environ[JUDGE_URL_ENV], "key": os.environ[JUDGE_KEY_ENV]}
        super().__init__(**{**kwargs, **where})

    def _text(self, answer: dict[str, Any]) -> str:
        """A judge that says nothing has not judged: an evaluator would read its silence as a verdict."""
        text = super()._text(answer)
        if not text.strip():
            raise RequestFailed("the judge's answer is empty")
        return text
