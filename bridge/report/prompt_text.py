"""What a model was given, as one text, whether it was recorded as a text or as messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson


def plain_text(message_or_text: object) -> str:
    """A single message is its content; of several each has its role in front. Parts that are no text are JSON."""
    if isinstance(message_or_text, str):
        return message_or_text.strip()
    if not isinstance(message_or_text, list):
        return ""
    messages = [message for message in message_or_text if isinstance(message, dict)]
    if len(messages) == 1:
        return "".join(_contents(messages[0])).strip()
    return "\n".join(f"{message.get('role')}: {''.join(_contents(message)).strip()}" for message in messages)


def _contents(message: dict[str, Any]) -> Iterator[str]:
    content = message.get("content")
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        text = part.get("text") if isinstance(part, dict) else None
        yield text if isinstance(text, str) else _json(part)


def _json(part: object) -> str:
    return orjson.dumps(part, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str).decode()
