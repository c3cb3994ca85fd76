"""Which of a dataset's files are there, and where the others are to be had: what a backend says for ``bridge data``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from bridge.backend import Task


@dataclass(frozen=True)
class DataArchive:
    """A zip file that holds a dataset's files."""

    url: str
    md5: str
    """Empty where none is published: then only the zip file's own checksums are there."""
    folder: str
    """Where it is unpacked, in the data folder; empty: there."""


@dataclass(frozen=True)
class DataState:
    dataset: str
    """``DatasetSpec.id``."""
    present: tuple[str, ...]
    missing: tuple[str, ...]
    """Where they were looked for last; without a place to look, in the framework's own layout."""
    expected: str
    """The layout, in words."""
    archives: tuple[DataArchive, ...] = ()
    """All that are needed."""
    hubs: tuple[str, ...] = ()
    """Where the data is too, in another form."""


@runtime_checkable
class ChecksData(Protocol):
    """A backend that reads files, and knows where they come from."""

    def data_states(self, task: Task) -> Iterator[DataState]:
        """One for each dataset. Reads no more than whether files exist, and fetches nothing."""
        ...
