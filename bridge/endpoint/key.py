"""What makes two requests the same: the cache's keys."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

_DELIVERY = {"stream", "stream_options"}
"""Fields that say how an answer is delivered, not what it is."""


def is_sampling(body: dict[str, Any]) -> bool:
    """Whether asking again may give another answer: then each repeat is a request of its own.

    Without a temperature the server's own default holds, and that one samples nearly everywhere.
    """
    return body.get("temperature") != 0 or body.get("n") not in (None, 1)


def digest(upstream: str, path: str, body: dict[str, Any]) -> bytes:
    """Hash of the whole request, whatever the order of its fields, and of the server it goes to."""
    if not _DELIVERY.isdisjoint(body):
        body = {name: value for name, value in body.items() if name not in _DELIVERY}
    return sha256(orjson.dumps((upstream, path, body), option=orjson.OPT_SORT_KEYS)).digest()


def nth(of_request: bytes, repeat: int) -> bytes:
    """The key of a sampling request's repeat, from the request's ``digest``."""
    return sha256(b"%b:%d" % (of_request, repeat)).digest() if repeat else of_request


def request_key(upstream: str, path: str, body: dict[str, Any], repeat: int) -> bytes:
    """The cache's key. ``repeat`` counts for sampling requests only: a greedy one has one answer."""
    of_request = digest(upstream, path, body)
    return nth(of_request, repeat) if repeat and is_sampling(body) else of_request
