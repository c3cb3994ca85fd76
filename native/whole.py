"""Files of JSON that are replaced as a whole: readers see the old content or the new one, never half of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson


def write_whole(path: Path, value: object) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    aside.write_bytes(orjson.dumps(value))
    aside.replace(path)


def read_whole(path: Path) -> dict[str, Any]:
    """What ``write_whole`` wrote; empty where there is nothing that can be read."""
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return value if isinstance(value, dict) else {}
