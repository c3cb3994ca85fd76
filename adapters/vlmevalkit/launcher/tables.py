"""A user's TSV, read with suspicion before VLMEvalKit sees it.

VLMEvalKit names files after ``index`` and ``image_path``, follows references between images by assertion, and gives up
a whole dataset for one bad row. Here a table that is no table is refused with its line, and a row that cannot be asked
is taken out with its reason.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

_REFERENCE = 64
"""A shorter ``image`` is the index of the row that has the image (VLMEvalKit's rule)."""
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
_RESERVED = frozenset({"prediction", "hit", "log", "gt", "tmp_flag"})
"""Columns that VLMEvalKit writes itself; a table that brings them would decide its own score."""
MISSING = frozenset(
    [
        "",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
    ]
)
"""What pandas, and so VLMEvalKit, reads as an empty cell."""


class BadTable(Exception):
    """The table cannot be used at all; one line that says where and why."""


@dataclass
class Table:
    columns: list[str]
    rows: list[dict[str, str]]
    refused: dict[str, str] = field(default_factory=dict)
    """Index → why the row cannot be asked; these rows are in ``rows`` no more."""
    read_as_missing: int = 0
    """Cells with text that VLMEvalKit takes for empty: an option ``None`` vanishes."""


def read(path: Path) -> Table:
    """The rows that can be asked. Raises BadTable."""
    csv.field_size_limit(sys.maxsize)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter="\t", strict=True)
            columns = _checked_header(path, next(reader, []))
            table = Table(columns, list(_rows(path, columns, reader)))
    except OSError as error:
        raise BadTable(f"{path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadTable(f"{path}: not a UTF-8 TSV: {error}") from error
    if not table.rows:
        raise BadTable(f"{path}: there is no row in it")
    _check_rows(path, table)
    return table


def write(table: Table, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, table.columns, delimiter="\t", quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table.rows)


def _checked_header(path: Path, columns: list[str]) -> list[str]:
    folded = [column.casefold() for column in columns]
    if twice := sorted({name for name in columns if folded.count(name.casefold()) > 1 and len(name) > 1}):
        raise BadTable(f"{path}:1: column {twice[0]!r} is there twice (upper and lower case are the same)")
    if missing := [name for name in ("index", "question") if name not in columns]:
        raise BadTable(f"{path}:1: there is no column {missing[0]!r}; a VLMEvalKit table has index and question")
    if reserved := sorted(set(folded) & _RESERVED):
        raise BadTable(f"{path}:1: column {reserved[0]!r} is VLMEvalKit's own; take it out of the table")
    return columns


def _rows(path: Path, columns: list[str], reader: Iterator[list[str]]) -> Iterator[dict[str, str]]:
    for cells in reader:
        line = getattr(reader, "line_num", 0)
        if not cells:
            continue
        if len(cells) != len(columns):
            raise BadTable(f"{path}:{line}: {len(cells)} cells under {len(columns)} columns")
        if any("\0" in cell for cell in cells):
            raise BadTable(f"{path}:{line}: a cell holds a NUL byte")
        yield dict(zip(columns, cells, strict=True))


def _check_rows(path: Path, table: Table) -> None:
    seen: set[str] = set()
    for number, row in enumerate(table.rows, 1):
        index = row["index"]
        if not _is_file_name(index):
            raise BadTable(
                f"{path}: row {number}: index {index[:60]!r} is to be a plain name: it becomes a file's name"
            )
        if index in seen:
            raise BadTable(f"{path}: row {number}: index {index!r} is there twice")
        seen.add(index)
        table.read_as_missing += sum(cell in MISSING for cell in row.values() if cell)
    _take_out(table, path.parent)


def _take_out(table: Table, folder: Path) -> None:
    images = {row["index"]: row.get("image", "") for row in table.rows}
    kept = []
    for row in table.rows:
        reason = _no_image(row, images) if "image" in row else _no_file(row, folder) if "image_path" in row else ""
        reason = reason or _bad_path(row)
        if reason:
            table.refused[row["index"]] = reason
        else:
            kept.append(row)
    table.rows = kept


def _no_image(row: dict[str, str], images: dict[str, str]) -> str:
    """Why a row with an ``image`` cell cannot be shown; also where the row that it refers to has none."""
    cell = row["image"]
    if not cell or cell in MISSING:
        return "the cell 'image' is empty"
    if len(cell) <= _REFERENCE:
        cell = images.get(cell, "")
        if len(cell) <= _REFERENCE:
            return f"image {row['image']!r} is neither base64 nor the index of a row that has an image"
    if cell.startswith("["):
        return ""
    return "" if _BASE64.fullmatch(cell) else "the cell 'image' is not base64"


def _no_file(row: dict[str, str], folder: Path) -> str:
    """``image_path`` without ``image``: the files lie beside the table, and the cell is made absolute."""
    cell = row["image_path"]
    if cell.startswith("["):
        return "" if not _leads_out(cell) else f"image_path {cell[:60]!r} leads out of the table's folder"
    if _leads_out(cell):
        return f"image_path {cell[:60]!r} leads out of the table's folder"
    around = [(base / cell).resolve() for base in (folder, folder / "images")]
    found = next((path for path in around if path.is_file() and path.is_relative_to(folder.resolve())), None)
    if found is None:
        return f"image_path {cell[:60]!r} is no file in the table's folder"
    row["image_path"] = str(found)
    return ""


def _bad_path(row: dict[str, str]) -> str:
    cell = row.get("image_path", "")
    if "image" in row and cell and _leads_out(cell):
        return f"image_path {cell[:60]!r} leads out of the folder of images"
    return ""


def _leads_out(cell: str) -> bool:
    parts = re.split(r"[\s'\"\[\],]+", cell) if cell.startswith("[") else [cell]
    return any(PurePosixPath(part).is_absolute() or ".." in PurePosixPath(part).parts for part in parts if part)


def _is_file_name(text: str) -> bool:
    return (
        bool(text) and len(text) <= 200 and text.isprintable() and not {"/", "\\"} & set(text) and text.strip(".") != ""
    )
