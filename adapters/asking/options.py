"""``options.<backend>`` of a spec, checked against a model: every problem with its place and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from bridge.errors import Problem, Unsupported, did_you_mean
from bridge.spec import TaskSpec


class Options(BaseModel):
    """What the options of a backend derive from; the docstrings of the fields are their reference."""

    model_config = ConfigDict(extra="forbid", frozen=True)


OptionsT = TypeVar("OptionsT", bound=Options)


def read_options(spec: TaskSpec, backend: str, model: type[OptionsT]) -> OptionsT:
    """The backend's options. Raises Unsupported with all that is wrong with them."""
    try:
        return model.model_validate(spec.options.get(backend, {}))
    except ValidationError as error:
        raise Unsupported([_problem(detail, backend, model) for detail in error.errors(include_url=False)]) from None


def option_problems(spec: TaskSpec, backend: str, model: type[Options]) -> list[Problem]:
    try:
        read_options(spec, backend, model)
    except Unsupported as error:
        return list(error.problems)
    return []


def _problem(detail: ErrorDetails, backend: str, model: type[Options]) -> Problem:
    field = ".".join(["options", backend, *map(str, detail["loc"])])
    if detail["type"] == "extra_forbidden":
        names = [".".join(path) for path in _names(model)]
        given = ".".join(map(str, detail["loc"]))
        hint = did_you_mean(given, names) or f"one of: {', '.join(names)}"
        return Problem("", field, "there is no such option", hint)
    if detail["type"] == "literal_error":
        hint = did_you_mean(str(detail["input"]), re.findall(r"'([^']*)'", detail["ctx"]["expected"]))
        return Problem("", field, f"is {detail['input']!r}; allowed: {detail['ctx']['expected']}", hint)
    return Problem("", field, f"{detail['msg'].removeprefix('Value error, ')} (it is {detail['input']!r})")


def _names(model: type[BaseModel]) -> Iterator[tuple[str, ...]]:
    for name, info in model.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from ((name, *rest) for rest in _names(inner))
        else:
            yield (name,)
