"""``job.json`` of a performance test, and the files that it keeps beside it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import orjson

from bridge.native.perf.schedule import Point
from bridge.perf_spec import PerfBlock

POINTS = "points"
"""Folder with a folder for each load point: its requests, and ``point.json`` when it is done."""
RESULT = "result.json"
PROGRESS = "progress.json"
BASE_URL_ENV = "BRIDGE_BASE_URL"
"""Variable with the server's URL, which is in no file: it may hold a password."""
API_KEY_NAME_ENV = "BRIDGE_API_KEY_NAME"
"""Variable with the name of the variable that holds the API key."""
SERVED_MODEL_ENV = "BRIDGE_SERVED_MODEL"


@dataclass(frozen=True)
class PerfJob:
    model: str
    """The name in the report."""
    perf: PerfBlock
    version: str = ""
    """Of bridge."""

    @property
    def served_model(self) -> str:
        """The name that is asked for; of a model that bridge serves it is another one each time."""
        return os.environ.get(SERVED_MODEL_ENV) or self.model

    def to_json(self) -> str:
        plain = {
            "model": self.model,
            "version": self.version,
            "perf": self.perf.model_dump(mode="json"),
        }
        return orjson.dumps(plain, option=orjson.OPT_INDENT_2).decode()


def read_job(path: Path) -> PerfJob:
    raw = orjson.loads(path.read_bytes())
    return PerfJob(**{**raw, "perf": PerfBlock.model_validate(raw["perf"])})


def point_folder(folder: Path, point: Point) -> Path:
    return folder / POINTS / file_name(point.id)


def file_name(point_id: str) -> str:
    """``closed=64`` → ``closed-64``."""
    return re.sub(r"[^A-Za-z0-9.+_]", "-", point_id)
