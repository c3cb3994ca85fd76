"""A model that answers, whoever serves it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from bridge.report.schema import ModelInfo


@dataclass(frozen=True)
class Served:
    """A model that answers, for the time of the ``with`` block that it came from."""

    base_url: str
    """Up to and including ``/v1``."""
    model: str
    """The model id to send. Of a deployed model it is a one-time name: another one each time."""
    identity: str
    """What stands for the model in the key of a cache: the same as long as it is the same model, whatever its id and
    port are now; another one when its weights or the way they are served change."""
    info: ModelInfo
    dialect: str = ""
    """What the server misreads of the API, by name (``endpoint.dialect``); empty: nothing that is known."""
    shown_url: str = ""
    """The URL in messages: as the spec writes it, where that is not ``base_url`` (``${NAME}``)."""
    api_key: str | None = field(default=None, repr=False)
    api_key_env: str | None = None
    died: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a server that was started here ends by itself; then ``reason`` says why."""
    reason: list[str] = field(default_factory=list)
    """Empty, or one line."""
