"""A policy's YAML or JSON file → ``Policy``, with every problem at once, each with its line."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bridge.errors import Problem, SpecError, did_you_mean
from bridge.gate.policy import Policy
from bridge.spec_file.document import MAX_BYTES, Document, Key, dotted, parse, parse_json

_KINDS = {
    "string_type": "text",
    "float_type": "a number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "date_type": "a day such as 2027-01-31",
    "date_parsing": "a day such as 2027-01-31",
    "date_from_datetime_parsing": "a day such as 2027-01-31",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


@dataclass(frozen=True)
class PolicySource:
    """A policy, and where each of its fields stands."""

    path: Path
    policy: Policy
    sha256: str
    document: Document

    def problem(self, key: Key, message: str, hint: str = "") -> Problem:
        return Problem(self.document.place(key).where or str(self.path), dotted(key), message, hint)


def read_policy(path: Path) -> PolicySource:
    """Raises SpecError with all problems."""
    data = _bytes(path)
    document = parse_json(data, str(path)) if path.suffix.lower() == ".json" else parse(data, str(path))
    if not isinstance(document.value, dict):
        raise SpecError([Problem(str(path), "", "is no policy; a mapping with 'version: 1' is needed")])
    try:
        # As JSON, whose strict rules take a list for a tuple and a text for a day, and no text for a number.
        policy = Policy.model_validate_json(json.dumps(document.value))
    except ValidationError as error:
        told = {str(problem): problem for problem in [*document.problems, *_explained(error, document)]}
        raise SpecError(sorted(told.values(), key=_by_line)) from None
    if document.problems:
        raise SpecError(document.problems)
    return PolicySource(path, policy, hashlib.sha256(data).hexdigest(), document)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecError([Problem("--policy", "", f"{path}: {error.strerror or error}")]) from None


def _explained(error: ValidationError, document: Document) -> Iterator[Problem]:
    for detail in error.errors(include_url=False):
        # pydantic names the branch of a union as a part of the path; a place in the file has none.
        key = tuple(part for part in detail["loc"] if part not in ("literal['equal']", "dict[str,constrained-float]"))
        message, hint = _message(detail, key)
        place = document.place(key)
        yield Problem(place.where, dotted(key), message, hint)


def _message(detail: ErrorDetails, key: Key) -> tuple[str, str]:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = sorted(_model_at(key[:-1]).model_fields)
        return "unknown field", did_you_mean(str(key[-1]), known) or f"one of: {', '.join(known)}"
    if kind == "missing":
        return "is missing", "write 'version: 1'" if key == ("version",) else ""
    if kind == "literal_error":
        expected = str(context["expected"])
        return f"is {_shown(value)}; allowed: {expected}", did_you_mean(str(value), re.findall(r"'([^']*)'", expected))
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        return f"is {_shown(value)}; allowed: {words} {context[name]:g}", ""
    if kind == "value_error":
        return str(context["error"]), ""
    if kind in _KINDS:
        return f"is {_shown(value)}; {_KINDS[kind]} is needed", ""
    return f"is {_shown(value)}: {detail['msg']}", ""


def _model_at(key: Key) -> type[BaseModel]:
    """The model that a mapping at this place is read into."""
    model: type[BaseModel] = Policy
    for part in key:
        if isinstance(part, str) and part in model.model_fields:
            model = _part(model.model_fields[part].annotation) or model
    return model


def _part(annotation: Any) -> type[BaseModel] | None:
    """The model in ``dict[str, Model]`` or ``tuple[Model, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((part for argument in get_args(annotation) if (part := _part(argument))), None)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return json.dumps(value, ensure_ascii=False)[:60] if value is not None else "empty"


def _by_line(problem: Problem) -> tuple[int, str]:
    line = problem.where.rpartition(":")[2]
    return int(line) if line.isdecimal() else 0, problem.field
