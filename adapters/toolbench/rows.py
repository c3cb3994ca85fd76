"""The files of ToolBench-Static: lists of ``{messages, tools, target}``, a step of a reference trajectory each."""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from bridge.spec import JsonObject

ROLES = ("system", "user", "assistant", "function")
WANTED = (
    'wanted is {"messages": [{"role", "content"}…], "tools": [{"name", "description", "parameters"}…], "target": text}'
)


class DataError(Exception):
    """A file that is missing or not in the benchmark's format; one line with the place."""


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    description: str
    parameters: JsonObject
    """A JSON schema."""

    def to_json(self) -> JsonObject:
        return {"name": self.name, "description": self.description, "parameters": self.parameters}


@dataclass(frozen=True, slots=True)
class StaticRow:
    """One step: what has happened so far, what may be called, and what the reference does next."""

    id: str
    subset: str
    messages: tuple[JsonObject, ...]
    """Roles system, user, assistant (ReAct text) and function (the result of a call)."""
    tools: tuple[Tool, ...]
    target: str
    """The reference's step, in ReAct form."""

    @property
    def tool_names(self) -> frozenset[str]:
        return frozenset(tool.name for tool in self.tools)


def read_subset(path: Path, subset: str, limit: int | None) -> list[StaticRow]:
    """The first ``limit`` rows of a file. Raises DataError."""
    rows = list(islice(_rows(path, subset), limit))
    if not rows:
        raise DataError(f"{path}: there is no row in it")
    counts = Counter(row.id for row in rows)
    if twice := next((id for id, n in counts.items() if n > 1), None):
        raise DataError(f"{path}: {counts[twice]} rows have the id {twice!r}; each needs one of its own, or none")
    return rows


def load_json(path: Path) -> Any:
    """Raises DataError."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {str(error).splitlines()[0]}") from None


def schema_of(parameters: Any) -> JsonObject:
    """A tool's parameters as a JSON schema: the data has them as a mapping, as JSON text or as a Python literal.

    Raises ValueError for anything else.
    """
    value = parameters
    if isinstance(value, str):
        for read in (json.loads, ast.literal_eval):
            try:
                value = _read(read, parameters)
                break
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
    if not isinstance(value, dict):
        raise ValueError(f"'parameters' is no JSON schema: {str(parameters)[:60]!r}")
    return {"type": "object", "properties": {}, **value}


def tool_of(value: Mapping[str, Any]) -> Tool:
    """A tool in ToolBench's form, or in OpenAI's (``{"type": "function", "function": {…}}``)."""
    inner = value.get("function", value)
    name = inner["name"]
    if not isinstance(name, str) or not name:
        raise ValueError(f"a tool's 'name' is to be text, not {name!r}")
    return Tool(name, str(inner.get("description") or ""), schema_of(inner.get("parameters") or {}))


def _read(read: Callable[[str], Any], text: str) -> Any:
    return read(text)


def _rows(path: Path, subset: str) -> Iterator[StaticRow]:
    rows = load_json(path)
    if not isinstance(rows, list):
        raise DataError(f"{path}: a list of rows is expected; {WANTED}")
    for at, row in enumerate(rows):
        try:
            yield _row(f"{at}", subset, row)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            what = f"has no {error}" if isinstance(error, KeyError) else str(error)
            raise DataError(f"{path}: row {at}: {what}; {WANTED}") from None


def _row(id: str, subset: str, row: Mapping[str, Any]) -> StaticRow:
    messages = tuple(_message(message) for message in row["messages"])
    if not messages or messages[-1]["role"] == "assistant":
        raise ValueError("'messages' is to end where the model is to go on")
    if not isinstance(row["target"], str):
        raise ValueError("'target' is to be text")
    return StaticRow(
        str(row.get("id", id)), subset, messages, tuple(tool_of(tool) for tool in row["tools"]), row["target"]
    )


def _message(message: Mapping[str, Any]) -> JsonObject:
    role, content = message["role"], message["content"]
    if role not in ROLES:
        raise ValueError(f"a message's 'role' is {role!r}; allowed: {', '.join(ROLES)}")
    if not isinstance(content, str):
        raise ValueError("a message's 'content' is to be text")
    name = message.get("name")
    return {"role": role, "content": content} | ({"name": name} if name else {})
