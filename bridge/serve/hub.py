"""Weights that are named by a hub's id: in the hub's cache on this machine, or there to be fetched."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ServeError

TIMEOUT_S = 8.0
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Hub:
    name: str
    model_url: str
    """Of one model, with ``{id}``."""
    endpoint_env: str


def hub_of(environ: Mapping[str, str]) -> Hub:
    """ms-swift fetches from ModelScope, or from Hugging Face where ``USE_HF`` is 1."""
    if environ.get("USE_HF", "").lower() in ("1", "true"):
        endpoint = environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
        return Hub("Hugging Face", f"{endpoint}/api/models/{{id}}", "HF_ENDPOINT")
    endpoint = environ.get("MODELSCOPE_ENDPOINT", "https://www.modelscope.cn").rstrip("/")
    return Hub("ModelScope", f"{endpoint}/api/v1/models/{{id}}", "MODELSCOPE_ENDPOINT")


async def locate(path: str, what: str, environ: Mapping[str, str]) -> str:
    """What the engine is to be given for ``path``: a folder, or an id that the hub has and that can be fetched now.

    A copy in the hub's cache is used where the hub cannot be reached. Raises ServeError, in seconds, where there is
    neither; ``what`` names the thing in its message.
    """
    folder = Path(path).expanduser()
    if folder.is_dir():
        return str(folder.resolve())
    if not HUB_ID.fullmatch(path):
        raise ServeError(f"{what}: there is no folder {path}; give a model's folder or a hub's id (org/name)")
    hub = hub_of(environ)
    problem = await _why_not(hub, path)
    if not problem:
        return path
    if copy := next(cached_copies(path, environ), None):
        return str(copy)
    raise ServeError(f"{what}: {path} is no folder on this machine, and {problem}; give the folder of a copy")


async def _why_not(hub: Hub, model_id: str) -> str:
    """Why the model cannot be fetched; empty where it can."""
    import aiohttp

    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), trust_env=True) as session,
            session.get(hub.model_url.format(id=model_id)) as response,
        ):
            if response.status == 404:
                return f"{hub.name} has no model of that name"
            return f"{hub.name} answers HTTP {response.status}" if response.status >= 500 else ""
    except (aiohttp.ClientError, TimeoutError):
        return f"{hub.name} cannot be reached (offline? {hub.endpoint_env} names a mirror)"


def cached_copies(model_id: str, environ: Mapping[str, str]) -> Iterator[Path]:
    """Folders of the model in the hubs' caches, the newest layout first."""
    home = Path(environ.get("HOME") or Path.home())
    flat = model_id.replace("/", "--")
    scope = Path(environ.get("MODELSCOPE_CACHE") or home / ".cache" / "modelscope")
    face = Path(environ.get("HF_HUB_CACHE") or Path(environ.get("HF_HOME") or home / ".cache" / "huggingface") / "hub")
    folders = [
        *sorted(scope.glob(f"models/{flat}/snapshots/*"), key=os.path.getmtime, reverse=True),
        *(scope / layout / model_id.replace(".", "___") for layout in ("models", "hub/models", "hub")),
        *sorted(face.glob(f"models--{flat}/snapshots/*"), key=os.path.getmtime, reverse=True),
    ]
    yield from (folder for folder in folders if (folder / "config.json").is_file())
