"""Rows that belong together, wherever they are: what questions are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bridge.native.benchmark import Layout, Row
from bridge.native.documents import DocumentsTable
from bridge.native.readers import DataError, Line, count_rows, read_rows, suffix_of
from bridge.native.source import Source


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

    @property
    def folder(self) -> Path | None:
        """Where files are that rows name; None on a hub."""
        ...

    def lines(self) -> Iterator[Line]: ...

    def count(self, most: int | None) -> int | None:
        """Number of rows, counted up to ``most``; None where only reading them would tell."""
        ...


@dataclass(frozen=True, slots=True)
class FileTable:
    source: Source
    columns: tuple[str, ...]
    labels: Path | None = None
    """A file with a label for each row, on a line each."""

    @property
    def name(self) -> str:
        return str(self.source.path)

    @property
    def subset(self) -> str | None:
        return self.source.subset

    @property
    def folder(self) -> Path:
        return self.source.path.parent

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.source.path,) if self.labels is None else (self.source.path, self.labels)

    def lines(self) -> Iterator[Line]:
        rows = read_rows(self.source.path, self.columns)
        return rows if self.labels is None else _labelled(rows, self.labels)

    def count(self, most: int | None) -> int | None:
        return count_rows(self.source.path, self.columns, most)


@dataclass(frozen=True, slots=True)
class MadeTable:
    """Rows that a benchmark makes itself, one at a time."""

    benchmark: str
    split: str
    rows: Callable[[str], Iterable[Row]]

    @property
    def name(self) -> str:
        return f"{self.benchmark}:{self.split}"

    @property
    def subset(self) -> str | None:
        return None

    @property
    def folder(self) -> Path | None:
        return None

    def lines(self) -> Iterator[Line]:
        number = 0
        try:
            for number, row in enumerate(self.rows(self.split), 1):
                yield Line(number, row)
        except DataError:
            raise
        except Exception as error:
            message = f"{self.name}: its rows end after {number}: {type(error).__name__}: {error}"
            raise DataError(message) from error

    def count(self, most: int | None) -> int | None:
        return None


def table_of(source: Source, layout: Layout) -> FileTable | DocumentsTable:
    """The rows of a file, or of the documents of a folder or tar."""
    return DocumentsTable(source, layout) if source.members else file_table(source, layout)


def file_table(source: Source, layout: Layout) -> FileTable:
    """The table of a file in this layout, with its labels where they stand beside it."""
    name = source.path.name.removesuffix(suffix_of(source.path)) + layout.labels
    labels = source.path.with_name(name)
    return FileTable(source, layout.columns, labels if layout.labels and labels.is_file() else None)


def _labelled(rows: Iterator[Line], labels: Path) -> Iterator[Line]:
    """Each row with its label. Raises DataError where there are not as many of the one as of the other."""
    found = labels.read_text(encoding="utf-8").split()
    number = 0
    for number, line in enumerate(rows, 1):
        if number > len(found):
            raise DataError(f"{labels}: has {len(found)} labels; there are more rows")
        yield line if line.problem else line._replace(row={**line.row, "label": found[number - 1]})
    if number < len(found):
        raise DataError(f"{labels}: has {len(found)} labels for {number} rows")
