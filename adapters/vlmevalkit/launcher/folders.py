"""A plain folder, ``images/`` and one ``.jsonl``, as a VLMEvalKit table.

A line is ``{"id", "question", "answer", "image" (or "images"), "options", "category" (or "subject"), "level", …}``.
"""

from __future__ import annotations

import base64
import json
import string
from pathlib import Path
from typing import Any

from .tables import BadTable, Table

_KNOWN = ("split", "hint", "l2-category")


def read(folder: Path) -> Table:
    """The table; rows whose image is not there are refused. Raises BadTable."""
    lines = _only_jsonl(folder)
    table, seen = Table([], []), set[str]()
    for number, record in _records(lines):
        row = _row(f"{lines}:{number}", number, record)
        if row["index"] in seen:
            raise BadTable(f"{lines}:{number}: id {row['index']!r} is there twice")
        seen.add(row["index"])
        try:
            row["image"] = _images(folder, record)
        except (OSError, ValueError) as error:
            table.refused[row["index"]] = str(error)
        else:
            table.rows.append(row)
    if not table.rows:
        raise BadTable(f"{lines}: no line has an image that is there")
    table.columns = _columns(table)
    table.rows = [{column: row.get(column, "") for column in table.columns} for row in table.rows]
    return table


def _only_jsonl(folder: Path) -> Path:
    found = sorted(folder.glob("*.jsonl"))
    if len(found) != 1:
        raise BadTable(f"{folder}: there are {len(found)} .jsonl files; a folder dataset is images/ and one .jsonl")
    return found[0]


def _records(path: Path) -> list[tuple[int, dict[str, Any]]]:
    records = []
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                record = json.loads(line)
                if not isinstance(record, dict) or "question" not in record:
                    raise BadTable(f"{path}:{number}: a line is an object with at least 'question'")
                records.append((number, record))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadTable(f"{path}: cannot be read as JSON lines: {error}") from error
    return records


def _row(where: str, number: int, record: dict[str, Any]) -> dict[str, str]:
    options = _options(record)
    if len(options) > len(string.ascii_uppercase):
        raise BadTable(f"{where}: {len(options)} options; there can be {len(string.ascii_uppercase)}")
    row = {
        "index": str(record.get("id", record.get("index", number - 1))),
        "question": str(record["question"]),
        "answer": _text(record.get("answer", "")),
        "category": _text(record.get("category", record.get("subject", ""))),
        "choices": str([str(option) for option in options]),
        **dict(zip(string.ascii_uppercase, map(str, options), strict=False)),
    }
    if "level" in record:
        row["l2-category"] = f"level {record['level']}"
    row |= {name: _text(record[name]) for name in _KNOWN if name in record}
    return row


def _options(record: dict[str, Any]) -> list[Any]:
    options = record.get("options", record.get("choices")) or []
    return list(options.values()) if isinstance(options, dict) else list(options)


def _text(value: Any) -> str:
    """Lists stay lists: several right answers."""
    return "" if value is None else str(value)


def _images(folder: Path, record: dict[str, Any]) -> str:
    """Base64 of the one image, or the literal list of several. Raises OSError and ValueError."""
    named = record.get("images") or record.get("image")
    if not named:
        raise ValueError("the line names no image")
    encoded = [_image(folder, str(name)) for name in (named if isinstance(named, list) else [named])]
    return encoded[0] if len(encoded) == 1 else str(encoded)


def _image(folder: Path, name: str) -> str:
    for base in (folder, folder / "images"):
        path = (base / name).resolve()
        if path.is_relative_to(folder.resolve()) and path.is_file():
            return base64.b64encode(path.read_bytes()).decode()
    raise ValueError(f"image {name!r} is not in the folder")


def _columns(table: Table) -> list[str]:
    """Columns that hold something; ``choices`` of questions without options is an empty list."""
    order = ["index", "image", "question", *string.ascii_uppercase, "choices", "answer", "category", *_KNOWN]
    used = {name for row in table.rows for name, value in row.items() if value and value != "[]"}
    return [name for name in order if name in used or name in ("index", "image", "question", "answer")]
