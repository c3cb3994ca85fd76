"""What the tests of the endpoint ask, and with which secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fault_server import MODEL

KEY = "sk-real-and-very-secret"
MARKER = "[[unanswered-1234]]"

NewClient = Callable[..., Any]
"""An async factory of clients; takes the settings that are to be other than usual."""


def greedy(prompt: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "temperature": 0, "messages": [{"role": "user", "content": prompt}], **more}


def sampling(prompt: str, **more: Any) -> dict[str, Any]:
    return greedy(prompt, **{"temperature": 0.8, **more})
