"""Members of a zip, those too that are compressed with zstd, which Python's own zipfile reads from 3.14 on.

Inspect writes such logs. Whichever zstd library is there is used: zstandard, or pyarrow.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Self

from bridge.errors import EnvError, OutputError

ZSTD = 93
_LOCAL_HEADER = 30
Decompress = Callable[[bytes, int], bytes]
"""Data, and its size when it is decompressed."""


class Members:
    """A context manager. Raises OutputError for what is no zip, EnvError where no zstd library is installed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise OutputError(f"{path}: is no zip, or only half of one ({error})") from None
        except OSError as error:
            raise OutputError(f"{path}: cannot be read: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._archive.close()

    def names(self) -> list[str]:
        return self._archive.namelist()

    def read(self, name: str) -> bytes:
        info = self._archive.getinfo(name)
        if info.compress_type != ZSTD:
            return self._archive.read(info)
        data = self._raw(info)
        try:
            return _decompressor()(data, info.file_size)
        except (OSError, ValueError) as error:
            raise OutputError(f"{self._path}: {name} cannot be decompressed: {error}") from None

    def _raw(self, info: zipfile.ZipInfo) -> bytes:
        with self._path.open("rb") as file:
            file.seek(info.header_offset)
            header = file.read(_LOCAL_HEADER)
            file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
            return file.read(info.compress_size)


@cache
def _decompressor() -> Decompress:
    for name, made in (("zstandard", _by_zstandard), ("pyarrow", _by_pyarrow)):
        try:
            return made(import_module(name))
        except ImportError:
            continue
    raise EnvError("this log is compressed with zstd, and no library for it is installed: pip install zstandard")


def _by_zstandard(library: Any) -> Decompress:
    def decompress(data: bytes, size: int) -> bytes:
        try:
            return bytes(library.ZstdDecompressor().decompressobj().decompress(data))
        except library.ZstdError as error:
            raise ValueError(str(error)) from None

    return decompress


def _by_pyarrow(library: Any) -> Decompress:
    return lambda data, size: bytes(library.Codec("zstd").decompress(data, size))
