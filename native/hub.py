"""Splits from ModelScope or Hugging Face, through their own libraries (extra ``[hub]``), which keep what they fetch.

Without a connection this says so at once, where the libraries would go on trying.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from bridge.native.benchmark import Benchmark, Hub
from bridge.native.job import HubName
from bridge.native.locate import find_sources
from bridge.native.readers import DataError, Line
from bridge.native.tables import Table, table_of

T = TypeVar("T")

LIBRARY = {"modelscope": "modelscope", "huggingface": "datasets"}
PASS_ENV = {
    "modelscope": ("MODELSCOPE_API_TOKEN",),
    "huggingface": ("HF_TOKEN", "HF_DATASETS_OFFLINE", "HF_DATASETS_CACHE"),
}
"""Variables that each library heeds, and that a job does not get by itself."""


@dataclass(frozen=True, slots=True)
class HubTable:
    """One split of one configuration."""

    name: str
    subset: str | None
    rows: Any
    """A ``datasets.Dataset``, or what iterates like one."""
    folder: None = None

    def lines(self) -> Iterator[Line]:
        for number, row in enumerate(self.rows, 1):
            yield Line(number, row)

    def count(self, most: int | None) -> int | None:
        return len(self.rows) if hasattr(self.rows, "__len__") else None


def is_installed(hub: HubName) -> bool:
    return find_spec(LIBRARY[hub]) is not None


def how_to_get_it(mark: Benchmark) -> str:
    """What to do where a benchmark's data cannot be fetched."""
    return f"give 'path' (or 'data', or BRIDGE_DATA) a folder with {mark.layout.example}"


def hub_tables(hub: HubName, mark: Benchmark, split: str, subsets: Sequence[str]) -> list[Table]:
    """The split's tables. Raises DataError, with what to do instead, where they are not to be had."""
    if mark.hub is None:
        raise DataError(f"{mark.name}: the data is your own; {how_to_get_it(mark)}")
    if not is_installed(hub):
        raise DataError(
            f"{mark.name}: fetching from {hub} needs its library: pip install 'evalbridge[hub]'; or "
            f"{how_to_get_it(mark)}"
        )
    _reachable(hub, mark)
    there = mark.hub
    if hub == "modelscope":
        copy = _fetched(mark, f"modelscope:{there.modelscope}", lambda: _copy_of(there.modelscope))
        return [table_of(source, mark.layout) for source in find_sources(mark, copy, split)]
    per_subset = there.config == "{subset}"
    return [_table(mark, there, split, subset) for subset in ((subsets or mark.subsets) if per_subset else (None,))]


def _reachable(hub: HubName, mark: Benchmark) -> None:
    from bridge.downloads import unreachable

    if os.environ.get("HF_HUB_OFFLINE") == "1" and hub == "huggingface":
        return
    url = {
        "modelscope": f"https://{os.environ.get('MODELSCOPE_DOMAIN', 'www.modelscope.cn')}",
        "huggingface": os.environ.get("HF_ENDPOINT", "https://huggingface.co"),
    }[hub]
    if reason := unreachable(url):
        raise DataError(f"{mark.name}: {url} cannot be reached ({reason}); {how_to_get_it(mark)}")


def _table(mark: Benchmark, hub: Hub, split: str, subset: str | None) -> HubTable:
    config = hub.config.replace("{subset}", subset or "")
    name = f"huggingface:{hub.huggingface}/{config}/{split}"
    return HubTable(name, subset, _fetched(mark, name, lambda: _load(hub.huggingface, config, split)))


def _fetched(mark: Benchmark, name: str, fetch: Callable[[], T]) -> T:
    try:
        return fetch()
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise DataError(f"{name}: cannot be fetched: {reason}; {how_to_get_it(mark)}") from error


def _copy_of(repository: str) -> Path:
    """A repository of ModelScope, in a folder."""
    from modelscope.hub.snapshot_download import dataset_snapshot_download

    return Path(dataset_snapshot_download(repository))


def _load(repository: str, config: str, split: str) -> Any:
    from datasets import load_dataset

    return load_dataset(repository, config, split=split)
