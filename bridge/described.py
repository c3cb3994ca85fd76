"""JSON schemas in which each field is described by the docstring beneath it.

pydantic can read these docstrings itself, but does so whenever a model is defined: a sixth of the time that a command
needs to start. Only a schema and an error message have use for them.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue


def json_schema(model: type[BaseModel], mode: Literal["validation", "serialization"]) -> dict[str, Any]:
    return model.model_json_schema(mode=mode, schema_generator=_Described)


@cache
def field_docstrings(model: type) -> Mapping[str, str]:
    """By field, with those that the model has from others."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if issubclass(owner, BaseModel) and owner is not BaseModel:
            found |= _beneath_fields(owner)
    return found


def _beneath_fields(owner: type) -> dict[str, str]:
    [defined] = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(defined, ast.ClassDef)
    found = {}
    for field, below in zip(defined.body, defined.body[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            found[field.target.id] = inspect.cleandoc(below.value.value)
    return found


class _Described(GenerateJsonSchema):
    def model_schema(self, schema: Any) -> JsonSchemaValue:
        made = super().model_schema(schema)
        for name, text in field_docstrings(schema["cls"]).items():
            if name in made.get("properties", {}):
                made["properties"][name].setdefault("description", text)
        return made
