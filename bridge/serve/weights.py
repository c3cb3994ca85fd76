"""A model's folder, as far as its files tell: is it one, is it whole, and when is it another."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bridge.errors import Problem
from bridge.serve.hub import HUB_ID

ADAPTER_CONFIG = "adapter_config.json"


def check_model(text: str, field: str) -> Iterator[Problem]:
    return _check_folder(text, field, "config.json", ("*.safetensors", "*.bin"))


def check_adapter(text: str, field: str) -> Iterator[Problem]:
    return _check_folder(text, field, ADAPTER_CONFIG, ("adapter_model.*",))


def files_of(folders: Sequence[str]) -> list[tuple[str, str, int, int]]:
    """Name, size and time of change of the files as they are now; a hub's id has none."""
    return [
        (folder, file.name, stat.st_size, stat.st_mtime_ns)
        for folder in folders
        if Path(folder).is_dir()
        for file in sorted(Path(folder).iterdir())
        if (stat := file.stat()) and file.is_file()
    ]


def lora_rank(folder: str) -> int | None:
    """The rank that the adapter's own configuration names."""
    try:
        said: Any = json.loads((Path(folder) / ADAPTER_CONFIG).read_bytes())
    except (OSError, ValueError):
        return None
    rank = said.get("r") if isinstance(said, dict) else None
    return rank if isinstance(rank, int) and rank > 0 else None


def _check_folder(text: str, field: str, config: str, weights: Sequence[str]) -> Iterator[Problem]:
    folder = Path(text).expanduser()
    if not folder.is_dir():
        if text.startswith((".", "/", "~")) or not HUB_ID.fullmatch(text):
            yield Problem(
                "", field, f"there is no folder {text}", "give a folder with the weights, or a hub's id (org/name)"
            )
        return
    if not (folder / config).is_file():
        yield Problem("", field, f"{text} is no model's folder: it holds no {config}", _what_it_is(folder))
    elif not any(any(folder.glob(pattern)) for pattern in weights):
        yield Problem("", field, f"{text} holds no weights ({' or '.join(weights)})", "is it complete?")


def _what_it_is(folder: Path) -> str:
    """A hint for what users mistake for a model's folder."""
    if (folder / ADAPTER_CONFIG).is_file():
        return "it is a LoRA adapter: give its base as deploy.path and this folder in deploy.adapters"
    inside = sorted(path for path in folder.glob("checkpoint-*") if path.is_dir())
    if not inside:
        inside = sorted(folder.glob("v*-*/checkpoint-*"))
    newest = max(inside, key=lambda path: path.stat().st_mtime, default=None)
    return f"did you mean its {newest.relative_to(folder)}?" if newest else ""
