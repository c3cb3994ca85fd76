"""Benchmarks whose authors publish a small JSON file for each document, in a folder or in the tar that they offer.

Nothing is unpacked: what is in a tar is read where it is. Documents are in the order of their numbers.
"""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from bridge.native.benchmark import Layout, Row
from bridge.native.readers import DataError, Line
from bridge.native.source import Source, regex_of

TARS = (".tar", ".tar.gz", ".tgz")
_LARGEST = 16 << 20
_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class DocumentsTable:
    """The documents of one split and subset."""

    source: Source
    layout: Layout

    @property
    def name(self) -> str:
        return str(self.source.path)

    @property
    def subset(self) -> str | None:
        return self.source.subset

    @property
    def folder(self) -> Path:
        return self.source.path if self.source.path.is_dir() else self.source.path.parent

    @property
    def files(self) -> tuple[Path, ...]:
        if not self.source.path.is_dir():
            return (self.source.path,)
        return tuple(self.source.path / member for member in self.source.members)

    def lines(self) -> Iterator[Line]:
        """Each row with its document as ``document``; a document with several rows is taken apart."""
        number = 0
        for member, raw in _read(self.source.path, self.source.members):
            for row, problem in _rows(member, raw, self.layout):
                number += 1
                yield Line(number, row, problem)

    def count(self, most: int | None) -> int | None:
        return len(self.source.members) if self.layout.rows_of is None else None


def find_documents(layout: Layout, root: Path, split: str) -> list[Source]:
    """The split's documents in a folder or a tar, subset by subset; none where there are none. Raises DataError."""
    if not layout.documents:
        return []
    names = _listed(root, layout.documents)
    for pattern in layout.documents:
        regex = regex_of(pattern, layout.splits[split], "")
        by_subset: dict[str | None, list[str]] = {}
        for name in names:
            if found := regex.fullmatch(name):
                by_subset.setdefault(found.groupdict().get("subset"), []).append(name)
        if by_subset:
            return [Source(root, subset, tuple(sorted(some, key=_natural))) for subset, some in by_subset.items()]
    return []


def find_in_tars(layout: Layout, folder: Path, split: str) -> list[Source]:
    """The same in the first tar of the folder that has some."""
    tars = sorted(path for path in folder.iterdir() if is_tar(path)) if layout.documents else []
    return next(filter(None, (find_documents(layout, path, split) for path in tars)), [])


def is_tar(path: Path) -> bool:
    return path.is_file() and path.name.endswith(TARS)


def _listed(root: Path, patterns: Sequence[str]) -> list[str]:
    if root.is_dir():
        globs = {"/".join("*" for _ in pattern.split("/")) for pattern in patterns}
        return [path.relative_to(root).as_posix() for one in sorted(globs) for path in root.glob(one)]
    with _opened(root) as tar:
        return [member.name.removeprefix("./") for member in tar if member.isfile()]


def _read(root: Path, members: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    if root.is_dir():
        for name in members:
            try:
                yield name, (root / name).read_bytes()
            except OSError as error:
                raise DataError(f"{root / name}: cannot be read: {error.strerror}") from error
        return
    wanted, found = set(members), {}
    with _opened(root) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if name in wanted and member.size <= _LARGEST and (file := tar.extractfile(member)) is not None:
                found[name] = file.read()
    yield from ((name, found.get(name, b"")) for name in members)


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path) as tar:
            yield tar
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DataError(f"{path}: not a tar that can be read: {error}") from error


def _rows(member: str, raw: bytes, layout: Layout) -> Iterator[tuple[Row, str]]:
    try:
        document = orjson.loads(raw)
        if not isinstance(document, dict):
            raise ValueError("a document is to be an object")
        whole = {**document, "document": member}
        rows = [whole] if layout.rows_of is None else list(layout.rows_of(whole))
    except KeyError as error:
        yield {}, f"{member}: has no {error.args[0]}"
    except (ValueError, TypeError) as error:
        yield {}, f"{member}: {error}"
    else:
        yield from ((row, "") for row in rows)


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts ``2.json`` before ``10.json``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _NUMBER.split(name)]
