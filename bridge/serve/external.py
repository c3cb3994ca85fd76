"""A model server that is already there: nothing is started, but it is asked before the run whether it will answer."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bridge.errors import ServeError, did_you_mean
from bridge.report.schema import ModelInfo
from bridge.serve.probe import NoAnswer, Refused, model_ids
from bridge.serve.served import Served
from bridge.spec import EndpointSpec, ModelSpec, expanded

PROBE_TIMEOUT_S = 10.0
LISTS_NO_MODELS = frozenset({404, 405, 501})
"""Servers that have chat completions and nothing else answer so; that is no reason not to use them."""
SHOWN_IDS = 8


def describe(model: ModelSpec, endpoint: EndpointSpec) -> ModelInfo:
    return ModelInfo(name=model.name, source=endpoint.base_url, engine="external")


@asynccontextmanager
async def serve(model: ModelSpec, endpoint: EndpointSpec) -> AsyncIterator[Served]:
    """Raises ServeError where the key is missing, the server does not answer, or does not know the model's name."""
    base_url, shown_url = expanded(endpoint.base_url).rstrip("/"), endpoint.base_url.rstrip("/")
    is_public = base_url == shown_url
    key = _api_key(model, endpoint)
    if endpoint.probe:
        try:
            await _probe(model, endpoint, base_url, key)
        except ServeError as error:
            raise ServeError(str(error).replace(base_url, shown_url)) from None
    yield Served(
        base_url=base_url,
        model=model.name,
        # It is written to disk, where the value of a variable does not belong.
        identity=base_url if is_public else hashlib.sha256(base_url.encode()).hexdigest(),
        info=describe(model, endpoint),
        shown_url="" if is_public else shown_url,
        api_key=key,
        api_key_env=endpoint.api_key_env,
    )


def _api_key(model: ModelSpec, endpoint: EndpointSpec) -> str | None:
    name = endpoint.api_key_env
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key:
        raise ServeError(f"model {model.name}: {name} is to hold its API key and is not set; export {name}=…")
    if not key.isascii() or not key.isprintable():
        raise ServeError(f"model {model.name}: the API key in {name} holds characters that no key has; set it again")
    return key


async def _probe(model: ModelSpec, endpoint: EndpointSpec, base_url: str, key: str | None) -> None:
    try:
        ids = await model_ids(base_url, api_key=key, timeout_s=PROBE_TIMEOUT_S)
    except Refused as refused:
        if refused.status in LISTS_NO_MODELS:
            await _refuse_missing_v1(model, base_url, key)
            return
        raise ServeError(f"model {model.name}: {refused}; {_about_refusal(refused.status, endpoint)}") from None
    except NoAnswer as error:
        hint = "start the server, or correct endpoint.base_url (the OpenAI API's, up to /v1)"
        raise ServeError(f"model {model.name}: {error}; {hint}") from None
    if model.name not in ids:
        raise ServeError(_not_served(model.name, base_url, ids))


def _about_refusal(status: int, endpoint: EndpointSpec) -> str:
    if status in (401, 403):
        name = endpoint.api_key_env
        return f"it does not accept the API key in {name}" if name else "it wants an API key: set endpoint.api_key_env"
    if status >= 500:
        return "it is there but out of order: wait until it is ready, or look into its log"
    return "correct endpoint.base_url, or set endpoint.probe: false to ask it anyway"


async def _refuse_missing_v1(model: ModelSpec, base_url: str, key: str | None) -> None:
    try:
        await model_ids(f"{base_url}/v1", api_key=key, timeout_s=PROBE_TIMEOUT_S)
    except NoAnswer:
        return
    raise ServeError(f"model {model.name}: endpoint.base_url {base_url} lacks /v1; write {base_url}/v1")


def _not_served(name: str, base_url: str, ids: Sequence[str]) -> str:
    more = f" and {len(ids) - SHOWN_IDS} more" if len(ids) > SHOWN_IDS else ""
    has = ", ".join(ids[:SHOWN_IDS]) + more if ids else "no model at all"
    hint = did_you_mean(name, ids) or "set model.name to one of them"
    return f"{base_url} does not serve {name!r}; it has: {has}; {hint} (endpoint.probe: false asks it anyway)"
