"""Which of a dataset's files are there, how they are to lie, and where OpenCompass has them from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from bridge.adapters.opencompass import layout
from bridge.adapters.opencompass.asked import Asked, asked
from bridge.adapters.opencompass.catalog import HERE
from bridge.adapters.opencompass.ocbridge.lay_out import whole_or_nearest
from bridge.backend import Task
from bridge.data_state import DataArchive, DataState

CORE = "https://github.com/open-compass/opencompass/releases/download/0.2.2.rc1/OpenCompassData-core-20240207.zip"
_IN_CORE = (
    *("AGIEval", "ARC", "BBH", "ceval", "CLUE", "cmmlu", "commonsenseqa", "drop", "FewCLUE", "flores_first100"),
    *("GAOKAO-BENCH", "gsm8k", "hellaswag", "humaneval", "lambada", "LCSTS", "math", "mbpp", "mmlu", "nq"),
    *("openbookqa", "piqa", "race", "siqa", "strategyqa", "summedits", "SuperGLUE", "TheoremQA", "triviaqa"),
    *("tydiqa", "winogrande", "xstory_cloze", "Xsum"),
)
"""Folders of OpenCompass's release of all its older benchmarks; no checksum of it is published."""


def data_states(task: Task) -> Iterator[DataState]:
    for one in asked(task):
        yield _state(one)


def _state(one: Asked) -> DataState:
    present: list[str] = []
    missing: list[str] = []
    for part in one.parts() if one.roots() else []:
        candidate = whole_or_nearest(part)
        lacking = candidate.missing()
        missing += [f"{candidate.root}/{name}" for name in lacking]
        present += [str(path) for file in candidate.files for path in file.found(candidate.root)]
    if not one.roots():
        missing = [path for config in one.chosen.configs for path in config.data]
    paths = [path for config in one.configs() for path in config.paths(one.dataset.subsets)]
    return DataState(
        dataset=one.dataset.id,
        present=tuple(present),
        missing=tuple(missing),
        expected=layout.expected(one.chosen),
        archives=tuple(dict.fromkeys(filter(None, map(archive_of, paths)))),
        hubs=tuple(dict.fromkeys(f"ModelScope: {name}" for name in map(_modelscope, paths) if name)),
    )


def archive_of(path: str) -> DataArchive | None:
    """The archive that holds ``path``, as OpenCompass chooses it: by the last part of a path that fits."""
    found = [(url, md5) for part, (url, md5) in _sources()["archives"].items() if part in f"cache/{path}/"]
    if found:
        url, md5 = found[-1]
        return DataArchive(url, md5, "data")
    return DataArchive(CORE, "", "") if path.split("/")[1] in _IN_CORE else None


def _modelscope(path: str) -> str | None:
    found: str | None = _sources()["modelscope"].get(path)
    return found


@cache
def _sources() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((HERE / "archives.json").read_text(encoding="utf-8"))
    return content
