"""Reads rows lazily from csv, tsv, json, jsonl (each also ``.gz``) and parquet, and knows where each row stands.

A row that is broken is handed on as such, with what is wrong; the rows after it are read. A file that cannot be read
(any further) raises ``DataError``.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO, cast

import orjson

from bridge.errors import BridgeError
from bridge.native.benchmark import Row
from bridge.native.worked_text import SUFFIX as WORKED
from bridge.native.worked_text import worked_examples

SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".csv", ".tsv", ".parquet", ".json.gz", ".csv.gz", ".tsv.gz")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_FIELD_LIMIT = 1 << 27
_PARQUET_BATCH = 256
_WRAPPERS = ("examples", "data", "rows", "Data")


class DataError(BridgeError):
    """A data file cannot be had or read; one line with the file, the place in it and what is expected."""

    exit_code = 2


class Line(NamedTuple):
    """A row, or what is wrong with it."""

    number: int
    """The line in the file where it starts, from 1; its number in files that have no lines."""
    row: Row
    problem: str = ""


def suffix_of(path: Path) -> str:
    """The part of the name that says the format, empty where it is none that can be read."""
    return next((suffix for suffix in sorted(SUFFIXES, key=len, reverse=True) if path.name.endswith(suffix)), "")


def read_rows(path: Path, columns: Sequence[str] = ()) -> Iterator[Line]:
    """The rows of a file; ``columns`` names those of a csv or tsv file without a header line."""
    kind = suffix_of(path).removesuffix(".gz")
    try:
        if kind == ".jsonl":
            yield from _jsonl(path)
        elif kind == ".json":
            yield from _json(path)
        elif kind in _DELIMITERS:
            yield from _table(path, _DELIMITERS[kind], columns)
        elif kind == ".parquet":
            yield from _parquet(path)
        elif path.suffix == WORKED:
            yield from _worked(path)
        else:
            raise DataError(f"{path}: not a format that can be read; it is to be one of {', '.join(SUFFIXES)}")
    except (OSError, EOFError, zlib.error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise DataError(f"{path}: cannot be read: {reason}") from error


def count_rows(path: Path, columns: Sequence[str] = (), most: int | None = None) -> int | None:
    """How many rows the file has, broken ones included, counted up to ``most``; None where only reading would tell."""
    kind = suffix_of(path)
    try:
        if kind == ".parquet":
            return int(_parquet_file(path).metadata.num_rows)
        if kind == ".jsonl":
            with path.open("rb") as lines:
                return sum(1 for _ in islice((line for line in lines if not line.isspace()), most))
        if kind.removesuffix(".gz") == ".json":
            return None
        return sum(1 for _ in islice(read_rows(path, columns), most))
    except (OSError, DataError):
        return None


def _worked(path: Path) -> Iterator[Line]:
    try:
        yield from (Line(number, row) for number, row in enumerate(worked_examples(path), 1))
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.name.endswith(".gz") else path.open("rb")


def _jsonl(path: Path) -> Iterator[Line]:
    with _open(path) as lines:
        for number, line in enumerate(lines, 1):
            text = line.strip().removeprefix(b"\xef\xbb\xbf") if number == 1 else line.strip()
            if text:
                yield _object(number, text)


def _object(number: int, text: bytes) -> Line:
    try:
        return _checked(number, orjson.loads(text))
    except orjson.JSONDecodeError as error:
        return Line(number, {}, f"not JSON: {error.msg}, column {error.colno}")


def _checked(number: int, value: Any) -> Line:
    if isinstance(value, dict):
        return Line(number, value)
    return Line(number, {}, f"a row is to be an object, not {type(value).__name__}")


def _json(path: Path) -> Iterator[Line]:
    with _open(path) as file:
        try:
            whole = orjson.loads(file.read())
        except orjson.JSONDecodeError as error:
            raise DataError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    if isinstance(whole, dict):
        whole = next((whole[name] for name in _WRAPPERS if isinstance(whole.get(name), list)), None)
    if not isinstance(whole, list):
        raise DataError(f"{path}: is to hold a list of rows, or an object with one as {' or '.join(_WRAPPERS)}")
    for number, value in enumerate(whole, 1):
        yield _checked(number, value)


def _table(path: Path, delimiter: str, columns: Sequence[str]) -> Iterator[Line]:
    csv.field_size_limit(_FIELD_LIMIT)
    with _text(path) as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        names = tuple(columns)
        for line in _table_lines(path, reader):
            if line.problem or names:
                yield line if line.problem else _named(line.number, names, line.row["fields"])
            else:
                names = tuple(name.strip() for name in line.row["fields"])


def _table_lines(path: Path, reader: Any) -> Iterator[Line]:
    while True:
        start = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            if "unexpected end" in str(error):
                reason = "a quote that is opened here is never closed; nothing behind it can be read"
                raise DataError(f"{path}:{start}: {reason}") from error
            yield Line(start, {}, f"not CSV: {error}")
            continue
        if fields is None:
            return
        if fields:
            yield Line(start, {"fields": fields})


def _text(path: Path) -> TextIO:
    """Bytes that are not UTF-8 become surrogates, so that only their row is broken."""
    opener = gzip.open if path.name.endswith(".gz") else open
    return cast(TextIO, opener(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline=""))


def _named(number: int, names: Sequence[str], fields: Sequence[str]) -> Line:
    if len(fields) != len(names):
        return Line(number, {}, f"{len(fields)} columns; there are to be {len(names)}: {', '.join(names)}")
    if any("\udc80" <= char <= "\udcff" for field in fields for char in field if not char.isascii()):
        return Line(number, {}, "not UTF-8")
    return Line(number, dict(zip(names, fields, strict=True)))


def _parquet(path: Path) -> Iterator[Line]:
    number = 0
    for batch in _parquet_file(path).iter_batches(batch_size=_PARQUET_BATCH):
        for row in batch.to_pylist():
            number += 1
            yield _checked(number, row)


def _parquet_file(path: Path) -> Any:
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise DataError(f"{path}: reading parquet needs pyarrow; pip install 'evalbridge[parquet]'") from None
    try:
        return ParquetFile(path)
    except pyarrow.ArrowInvalid as error:
        raise DataError(f"{path}: not a parquet file: {str(error).splitlines()[0]}") from error
