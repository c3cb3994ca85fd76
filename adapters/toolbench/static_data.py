"""Where the rows of ToolBench-Static are: the benchmark's files, ToolBench's own answer files, or the hub."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from bridge.adapters.toolbench.convert import convert, is_trajectory
from bridge.adapters.toolbench.names import HUB_ID, SUBSETS
from bridge.adapters.toolbench.rows import DataError, StaticRow, load_json, read_subset
from bridge.downloads import unreachable

EXPECTED = (
    f"expected {SUBSETS[0]}.json and {SUBSETS[1]}.json (rows of messages, tools and target), "
    "or ToolBench's own answer files (<query>_<method>.json)"
)

INSTEAD = f"give 'path' a folder with {SUBSETS[0]}.json and {SUBSETS[1]}.json"


def read_rows(path: Path | None, subsets: Sequence[str], limit: int | None) -> list[StaticRow]:
    """The first ``limit`` rows of each subset. Raises DataError."""
    root = path if path is not None else _from_hub()
    found = _benchmark_files(root)
    rows = [row for subset, file in found.items() for row in _read(file, subset, subsets, limit)]
    if not found:
        rows = _converted(root, subsets, limit)
    there = dict.fromkeys([*found, *(row.subset for row in rows)])
    if missing := [subset for subset in subsets if subset not in there]:
        raise DataError(f"{root}: has no subset {', '.join(missing)}; there are: {', '.join(there) or 'none'}")
    if not rows:
        raise DataError(f"{root}: no rows; {EXPECTED}")
    return rows


def _benchmark_files(root: Path) -> dict[str, Path]:
    """Subset → file; empty where the folder has none."""
    if root.is_file():
        return {} if is_trajectory(load_json(root)) else {root.stem: root}
    inside = {subset: sorted(root.rglob(f"{subset}.json")) for subset in SUBSETS}
    for subset, files in inside.items():
        if len(files) > 1:
            raise DataError(f"{root}: {subset}.json is there {len(files)} times; name the folder that is meant")
    return {subset: files[0] for subset, files in inside.items() if files}


def _read(file: Path, subset: str, wanted: Sequence[str], limit: int | None) -> list[StaticRow]:
    return read_subset(file, subset, limit) if not wanted or subset in wanted else []


def _converted(root: Path, subsets: Sequence[str], limit: int | None) -> list[StaticRow]:
    rows = sorted(convert(root), key=lambda row: row.subset)
    chosen = [row for row in rows if not subsets or row.subset in subsets]
    return [row for _, group in groupby(chosen, key=lambda row: row.subset) for row in list(group)[:limit]]


def _from_hub() -> Path:
    """Downloads the benchmark into the hub's own cache. Raises DataError, with what to do instead."""
    try:
        from modelscope import dataset_snapshot_download
    except ImportError:
        raise DataError(
            f"{HUB_ID}: fetching it needs modelscope: pip install 'evalbridge[hub]'; or {INSTEAD}"
        ) from None
    url = f"https://{os.environ.get('MODELSCOPE_DOMAIN', 'www.modelscope.cn')}"
    if reason := unreachable(url):
        raise DataError(f"{HUB_ID}: {url} cannot be reached ({reason}); {INSTEAD}")
    try:
        return Path(dataset_snapshot_download(HUB_ID))
    except Exception as error:  # a library on top of several more, without a common error
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise DataError(f"{HUB_ID}: cannot be fetched: {reason}; {INSTEAD}") from error
