"""Arguments of a spec (``{max_model_len: 512}``) as words of a command line."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bridge.errors import Problem, did_you_mean


def plain(name: str) -> str:
    """``--max-model-len`` and ``max_model_len`` are the same."""
    return name.lstrip("-").replace("-", "_")


def check_argument(
    name: str, value: object, field: str, of_bridge: Mapping[str, str], known: tuple[str, ...]
) -> Iterator[Problem]:
    """``of_bridge``: arguments that bridge gives, and the field that stands for each; ``known`` are for the hint."""
    if plain(name) in of_bridge:
        instead = of_bridge[plain(name)]
        yield Problem("", field, "bridge sets this itself", f"use {instead}" if instead else "leave it out")
    elif not re.fullmatch(r"[a-z_][a-z0-9_]*", plain(name)):
        hint = did_you_mean(plain(name), known)
        yield Problem("", field, "is no name of an argument: letters, digits and _ only", hint)
    elif value is None or value == []:
        yield Problem("", field, "has no value", "leave it out")


def missing_program(command: Sequence[str]) -> str:
    """Why the command's program cannot be started; empty where it can."""
    program = command[0]
    if shutil.which(Path(program).expanduser()):
        return ""
    return f"there is no program {program}" if "/" in program else f"there is no program {program} on PATH"


def words(value: object) -> list[str]:
    match value:
        case bool():
            return [str(value).lower()]
        case list() | tuple():
            return [word for one in value for word in words(one)]
        case dict():
            return [json.dumps(value)]
        case _:
            return [str(value)]
