"""What a job is told about its models, and the fields of its requests.  Pure, and light to import."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from bridge.backend import Endpoint
from bridge.spec import JsonObject

MODEL, JUDGE = "BRIDGE_MODEL", "BRIDGE_JUDGE"
"""Prefixes of the environment variables that tell a job where to ask."""


def told(prefix: str, endpoint: Endpoint) -> dict[str, str]:
    """Environment variables that tell a job about the endpoint; the key goes no other way."""
    return {f"{prefix}_URL": endpoint.base_url, f"{prefix}_KEY": endpoint.api_key}


def of_repeat(fields: Mapping[str, Any], repeat: int) -> JsonObject:
    """The fields for one of several repeats of a request.

    A sampled answer that is asked for again has to be another request, or the gateway's cache may take one repeat for
    the other when a job goes on: each has a seed of its own. A greedy answer is the same every time.
    """
    if not repeat or fields.get("temperature") == 0:
        return dict(fields)
    return {**fields, "seed": (fields.get("seed") or 0) + repeat}


def digest(what: JsonObject | str) -> str:
    """What pairs an answer with its request, and a score with its answer: the hash of the whole."""
    text = what if isinstance(what, str) else json.dumps(what, sort_keys=True)
    return sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def prompt_sha256(messages: Sequence[JsonObject]) -> str:
    """What pairs samples over runs and frameworks: hash of the messages as compact JSON with sorted keys."""
    return digest(json.dumps(messages, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
