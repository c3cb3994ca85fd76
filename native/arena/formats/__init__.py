"""Other tools' files of battles, read and written."""

from __future__ import annotations

from typing import NamedTuple


class Format(NamedTuple):
    """``module`` holds ``read``, and ``written`` where bridge can write the form, too."""

    module: str
    line: str
    """What PATH is."""


FORMATS = {
    "fastchat": Format("bridge.native.arena.formats.fastchat", "a folder of FastChat or of Vicuna's first reviews"),
    "arena-hard": Format("bridge.native.arena.formats.arena_hard", "a folder with model_judgment/, or a file of it"),
    "alpaca-eval": Format("bridge.native.arena.formats.alpaca_eval", "annotations.json"),
    "lmarena": Format("bridge.native.arena.formats.lmarena", "a file of battles, JSON, JSON lines or CSV"),
    "evalscope": Format("bridge.native.arena.formats.evalscope", "a YAML of 2024, or reviews that it made"),
    "battles": Format("bridge.native.arena.formats.own", "battles.jsonl, or the folder of an arena"),
}
