"""One request on its way to the model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, eq=False)
class Request:
    path: str
    body: dict[str, Any]
    job: str
    key: bytes
    """Of the cache; two requests with one key have one answer."""
    gate: asyncio.Semaphore | None = None
    """The limit of its job, beside the client's own."""
    on_event: Callable[[bytes], None] | None = None
    """Asks for a stream, and takes each of its events as it comes."""
    started_at: float = field(default_factory=time.time)
    tries: int = 0
    on_wire: bool = False
    """Whether it has been sent and its answer may come."""
    wanted: bool = True
    """False once nobody waits for it any more: then it is not sent again."""
