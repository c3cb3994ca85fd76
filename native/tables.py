"""Rows that belong together, wherever they are: what questions are made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from bridge.native.locate import Source
from bridge.native.readers import Line, count_rows, read_rows


class Table(Protocol):
    """Rows that belong together: a file, or a split on a hub."""

    @property
    def name(self) -> str:
        """For messages, before the number of a row."""
        ...

    @property
    def subset(self) -> str | None:
        """None: there is only one, or the rows say it."""
        ...

    def lines(self) -> Iterator[Line]: ...

    def count(self, most: int | None) -> int | None:
        """Number of rows, counted up to ``most``; None where only reading them would tell."""
        ...


@dataclass(frozen=True, slots=True)
class FileTable:
    source: Source
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        return str(self.source.path)

    @property
    def subset(self) -> str | None:
        return self.source.subset

    def lines(self) -> Iterator[Line]:
        return read_rows(self.source.path, self.columns)

    def count(self, most: int | None) -> int | None:
        return count_rows(self.source.path, self.columns, most)
