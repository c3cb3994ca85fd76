"""Is it an answer? What a server sent is taken for one, or told apart by why it is none."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import orjson

from bridge.endpoint.answer import FailureKind

_PASSING = {408, 409, 425, 429}
"""Statuses below 500 after which the same request may succeed."""
_KINDS: dict[int, FailureKind] = {
    401: "auth",
    403: "auth",
    404: "not-found",
    408: "timeout",
    429: "rate-limit",
    504: "timeout",
}
_TOO_LONG = re.compile(
    r"context_length|context.?size|context (length|window)|maximum context|max_model_len"
    r"|maximum (input|sequence) length|(prompt|input|request|message)s? (is |are )?too long|too many (input )?tokens",
    re.IGNORECASE,
)
_LONGEST_MESSAGE = 300
_BESIDE_TEXT = ("reasoning_content", "reasoning", "tool_calls", "function_call", "refusal", "audio")


class TryFailed(Exception):
    """One try that brought no answer; ``passing`` where another may."""

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        passing: bool,
        status: int = 0,
        body: bytes = b"",
        retry_after: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: FailureKind = kind
        self.message = message
        self.passing = passing
        self.status = status
        self.body = body
        self.retry_after = retry_after


def read_answer(status: int, raw: bytes, path: str, retry_after: str | None = None) -> dict[str, Any]:
    """The parsed answer. Raises ``TryFailed`` where the response is none."""
    if status != HTTPStatus.OK:
        raise _refusal(status, raw, retry_after)
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        what = f"answered with what is not JSON ({error}): {_excerpt(raw)}" if raw else "answered with nothing"
        raise _garbage(what, raw) from None
    if wrong := what_is_wrong(answer, path):
        raise _garbage(wrong, raw)
    return answer  # type: ignore[no-any-return]


def what_is_wrong(answer: object, path: str) -> str:
    """Why this is no answer to a request at ``path``; empty where it is one."""
    if not isinstance(answer, dict):
        return "answered with JSON that is no object"
    if answer.get("error"):
        return f"answered 200 with an error: {_message_in(answer) or answer['error']}"[:_LONGEST_MESSAGE]
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices:
        return "answered without choices"
    sound = _is_message_choice if path.endswith("/chat/completions") else _is_text_choice
    return "" if all(map(sound, choices)) else "answered with a choice that has no text, not even an empty one"


def server_message(raw: bytes) -> str:
    """What an error response says, in one line."""
    try:
        return _message_in(orjson.loads(raw)) or _excerpt(raw)
    except orjson.JSONDecodeError:
        return _excerpt(raw)


def one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[: _LONGEST_MESSAGE - 1]}…"


def _refusal(status: int, raw: bytes, retry_after: str | None) -> TryFailed:
    said = server_message(raw)
    message = f"{status} {_phrase(status)}: {said}" if said else f"{status} {_phrase(status)}"
    kind = _kind(status, said + raw[:2000].decode("utf-8", "replace"))
    # Quota that is used up comes as a 429 too, but no waiting helps.
    passing = (status in _PASSING or status >= 500) and b"insufficient_quota" not in raw
    return TryFailed(kind, message, passing=passing, status=status, body=raw, retry_after=retry_after)


def _kind(status: int, said: str) -> FailureKind:
    if status in (400, 413, 422) and _TOO_LONG.search(said):
        return "context-length"
    if "insufficient_quota" in said:
        return "auth"
    return _KINDS.get(status) or ("server-error" if status >= 500 else "refused-by-server")


def _garbage(what: str, raw: bytes) -> TryFailed:
    return TryFailed("garbage", one_line(what), passing=True, status=200, body=raw)


def _is_message_choice(choice: object) -> bool:
    """An empty text is an answer; a null in its place is one only beside something else that the model said."""
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return False
    content = message.get("content")
    return isinstance(content, str | list) or (content is None and any(map(message.get, _BESIDE_TEXT)))


def _is_text_choice(choice: object) -> bool:
    return isinstance(choice, dict) and isinstance(choice.get("text"), str)


def _message_in(said: Any) -> str:
    """The message in an error body of OpenAI, vLLM, FastAPI or Ollama."""
    while isinstance(said, dict):
        said = next((said[name] for name in ("error", "message", "detail", "msg") if said.get(name)), "")
    if isinstance(said, list):
        return one_line("; ".join(filter(None, map(_message_in, said))))
    return one_line(said) if isinstance(said, str) else ""


def _excerpt(raw: bytes) -> str:
    return one_line(raw[: 4 * _LONGEST_MESSAGE].decode("utf-8", "replace"))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(no standard status)"
