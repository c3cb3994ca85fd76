"""What one server misreads of the OpenAI API, put right on the way there and back; nothing is left to rest on it.

``swift``: ms-swift 4.6.0 takes ``max_completion_tokens``, ``response_format`` and ``seed`` without a word and does
nothing about them, leaves stop strings in the text, and puts a chat template around the prompt of ``/completions``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

CHAT = "/chat/completions"
Body = dict[str, Any]


@dataclass(frozen=True)
class Dialect:
    refusal: Callable[[str, Body], str]
    """Why a request at this path cannot be honoured, in one line; empty where it can."""
    asked: Callable[[Body], Body]
    """The request as the server understands it."""
    read: Callable[[Body, Body], Body]
    """The answer to the request, the second argument, as it should have been."""


def _swift_refusal(path: str, body: Body) -> str:
    if path != CHAT:
        return "ms-swift puts a chat template around the text of /v1/completions; ask /v1/chat/completions"
    if body.get("response_format") not in (None, {"type": "text"}):
        return "ms-swift ignores response_format; leave it out, or serve the model with vLLM"
    if body.get("stream") and body.get("stop"):
        return "ms-swift leaves stop strings in the text, and a stream cannot be cut; ask without stream"
    return ""


def _swift_asked(body: Body) -> Body:
    """A seed does nothing there but keep requests from being answered in one batch."""
    asked = {name: value for name, value in body.items() if name not in ("max_completion_tokens", "seed")}
    limits = [body[name] for name in ("max_tokens", "max_completion_tokens") if isinstance(body.get(name), int)]
    return asked | ({"max_tokens": min(limits)} if limits else {})


def _cut_at_stop(answer: Body, body: Body) -> Body:
    stops = body.get("stop")
    words = [stops] if isinstance(stops, str) else list(stops or ())
    if not words:
        return answer
    return {**answer, "choices": [_cut_choice(choice, words) for choice in answer["choices"]]}


def _cut_choice(choice: Body, words: list[str]) -> Body:
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(content, str):
        return choice
    ends = [at for word in words if word and (at := content.find(word)) >= 0]
    if not ends:
        return choice
    # What ended the answer is the stop string, whatever the server has run on to.
    return {**choice, "finish_reason": "stop", "message": {**message, "content": content[: min(ends)]}}


DIALECTS: Mapping[str, Dialect] = {"swift": Dialect(_swift_refusal, _swift_asked, _cut_at_stop)}
