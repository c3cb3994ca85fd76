"""What is wrong with a spec, in words: pydantic's errors with file, line, what is allowed and the nearest name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bridge.described import field_docstrings
from bridge.errors import Problem, did_you_mean
from bridge.spec import TaskSpec
from bridge.spec_file.document import Document, Key, Value, dotted, scalar

Model = type[BaseModel]
_BRANCH = re.compile(r"(literal|dict|list|tuple)\[.*\]|(constrained-)?(float|int|str)")
"""What pydantic puts into a path where a field may be of several kinds."""

_PATTERNS = {
    "base_url": "a URL such as http://127.0.0.1:8000/v1",
    "api_key_env": "the name of the environment variable that holds the key, such as OPENAI_API_KEY",
    **dict.fromkeys(
        ("duration", "drain", "stall", "think", "ttft", "tpot", "e2e"), "a time with its unit, such as 500ms, 60s, 2m"
    ),
    "size": "width and height in pixels, such as 512x512",
    "name": "letters, digits and . _ -, the first a letter or a digit",
}
_NEEDED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing"), "a day such as 2027-01-31"),
}
_BOUNDS = {
    "greater_than": ("gt", "more than {}"),
    "greater_than_equal": ("ge", "{} or more"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "{} or less"),
}


@dataclass(frozen=True)
class Field:
    """A known field of the spec that has been given a value."""

    model: Model
    name: str
    key: Key
    value: Value

    @property
    def id(self) -> str:
        """``DeploySpec.path``."""
        return f"{self.model.__name__}.{self.name}"


def given_fields(value: Value, model: Model = TaskSpec, key: Key = ()) -> Iterator[Field]:
    """Every known field that a raw spec gives, the inner ones after the outer."""
    if not isinstance(value, dict):
        return
    for name, info in model.model_fields.items():
        if name not in value:
            continue
        here, inner = value[name], (*key, name)
        yield Field(model, name, inner, here)
        if (part := _part(info.annotation)) is None:
            continue
        for key_of_part, value_of_part in _parts(here, inner, info.annotation):
            yield from given_fields(value_of_part, part, key_of_part)


def _parts(value: Value, key: Key, annotation: Any) -> Iterator[tuple[Key, Value]]:
    """A part itself, or those of a list or of a mapping from names."""
    if isinstance(value, list):
        yield from (((*key, index), item) for index, item in enumerate(value))
    elif isinstance(value, dict) and get_origin(annotation) is dict:
        yield from (((*key, name), item) for name, item in value.items())
    else:
        yield key, value


def kind_problems(document: Document, model: Model = TaskSpec) -> dict[Key, Problem]:
    """Numbers and truth values written as something else, which pydantic would silently convert (true → 1)."""
    return {
        field.key: _wrong(document, field.key, field.value, needed)
        for field in given_fields(document.value, model)
        if not _is_word(field.value, annotation := field.model.model_fields[field.name].annotation)
        and (needed := _misfit(field.value, set(_atoms(annotation))))
    }


def _is_word(value: Value, annotation: Any) -> bool:
    """Whether it is one of the words that the field takes beside numbers (``auto``)."""
    if get_origin(annotation) is Literal:
        return value in get_args(annotation)
    return any(_is_word(value, argument) for argument in get_args(annotation))


def _misfit(value: Value, kinds: set[Any]) -> str:
    if bool in kinds:
        return "" if isinstance(value, bool | None) else "true or false"
    if kinds & {int, float} and isinstance(value, bool | str):
        return "a number" if float in kinds else "a whole number"
    return ""


def explain(error: ValidationError, document: Document, model: Model = TaskSpec) -> dict[Key, Problem]:
    """One problem for each of pydantic's."""
    models: dict[Key, Model] = {(): model}
    models |= {field.key: part for field in given_fields(document.value, model) for part in [_part_of(field)] if part}
    found: dict[Key, Problem] = {}
    for detail in error.errors(include_url=False):
        key = tuple(part for part in detail["loc"] if not _BRANCH.fullmatch(str(part)))
        if detail["type"] == "too_short" and detail["input"]:
            continue  # counted without the entries that are wrong, which are told on their own
        problem = _explain(detail, key, document, _model_around(key, models))
        if key in found and "; allowed: " in found[key].message and detail["type"] in _NEEDED:
            problem = replace(found[key], message=f"{found[key].message} or {_NEEDED[detail['type']]}")
        found[key] = problem
    return _without_echoes(found)


def _explain(detail: ErrorDetails, key: Key, document: Document, model: Model) -> Problem:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(document, key, model)
    if kind == "missing":
        hint = _first_sentence(model, str(key[-1]))
        return Problem(document.place(key).where, dotted(key), "is missing", hint)
    if kind in _NEEDED:
        return _wrong(document, key, value, _needed(kind, key, model))
    if kind == "value_error":
        return Problem(document.place(key).where, dotted(key), str(context["error"]))
    message, hint = _allowed(kind, key, value, context) or (detail["msg"], "")
    return Problem(document.place(key).where, dotted(key), message, hint)


def _allowed(kind: str, key: Key, value: object, context: Mapping[str, Any]) -> tuple[str, str] | None:
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        return f"is {shown(value)}; allowed: {words.format(f'{context[bound]:g}')}", ""
    if kind == "literal_error":
        hint = did_you_mean(str(value), re.findall(r"'([^']*)'", context["expected"]))
        return f"is {shown(value)}; allowed: {context['expected']}", hint
    if kind == "string_pattern_mismatch":
        name = str(key[-1])
        # Whoever writes the key itself where its name belongs should not find it in a log.
        said = "is no such name" if name == "api_key_env" else f"is {shown(value)}"
        return f"{said}; allowed: {_PATTERNS.get(name, context['pattern'])}", ""
    if kind in ("string_too_short", "too_short"):
        return "is empty; at least one is needed" if kind == "too_short" else "is empty", ""
    if kind == "string_too_long":
        return f"is {len(str(value))} characters long; allowed: {context['max_length']} or less", ""
    return None


def _needed(kind: str, key: Key, model: Model) -> str:
    if not key:
        names = ["model", "datasets"] if model is TaskSpec else _required(model)
        return f"a mapping with {', '.join(map(repr, names[:-1]))} and {names[-1]!r}"
    if kind == "model_type" and len(key) == 2 and key[0] == "datasets" and isinstance(key[1], int):
        return "a dataset's name, or a mapping with its 'name',"
    return _NEEDED[kind]


def _required(model: Model) -> list[str]:
    return [name for name, info in model.model_fields.items() if info.is_required()]


def _wrong(document: Document, key: Key, value: object, needed: str) -> Problem:
    place = document.place(key)
    written = place.text if key in document.places else None
    hint = ""
    if needed == "text" and written:
        hint = f'quote it: "{written[:60]}"'
    elif key == ("backend",) and isinstance(value, list):
        hint = "for several, list a dataset once for each: {name: …, backend: …}"
    elif needed == "a list" and isinstance(value, str):
        hint = f"write [{value if re.fullmatch(r'[A-Za-z0-9 ._/-]{1,60}', value) else json.dumps(value[:60])}]"
    elif isinstance(value, str) and "number" in needed and not isinstance(scalar(value), str | bool | None):
        hint = "write it without quotes"
    return Problem(place.where, dotted(key), f"is {shown(value)}; {needed} is needed", hint)


def _unknown(document: Document, key: Key, model: Model) -> Problem:
    name, known = str(key[-1]), sorted(model.model_fields)
    if name == "<<":
        return Problem(document.place(key).where, dotted(key), "merge keys are not supported", "write the fields out")
    hint = did_you_mean(name, known) or f"one of: {', '.join(known)}"
    return Problem(document.place(key).where, dotted(key), "unknown field", hint)


def _without_echoes(found: dict[Key, Problem]) -> dict[Key, Problem]:
    """A required field that is missing because its name is mistyped is one problem, not two."""
    hints = {(key[:-1], problem.hint) for key, problem in found.items() if problem.message == "unknown field"}
    return {
        key: problem
        for key, problem in found.items()
        if problem.message != "is missing" or (key[:-1], f"did you mean {key[-1]!r}?") not in hints
    }


def shown(value: object) -> str:
    """A value as a message names it."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else f"{value[:57]}…")
    number = f"{value:g}" if isinstance(value, float) else str(value)
    return number if len(number) <= 60 else f"{number[:57]}…"


def _model_around(key: Key, models: dict[Key, Model]) -> Model:
    for end in range(len(key) - 1, 0, -1):
        outer = key[:end]
        if (model := models.get(outer) or models.get(outer[:-1] if isinstance(outer[-1], int) else outer)) is not None:
            return model
    return models[()]


def _part_of(field: Field) -> Model | None:
    return _part(field.model.model_fields[field.name].annotation)


def _part(annotation: Any) -> Model | None:
    """The model in ``Model | None`` or ``tuple[Model, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((part for argument in get_args(annotation) if (part := _part(argument))), None)


def _atoms(annotation: Any) -> Iterator[Any]:
    """The plain types in an annotation, without those of its entries: ``Annotated[int, …] | None`` → int, None."""
    if get_origin(annotation) in (tuple, dict, Literal):
        return
    if arguments := get_args(annotation):
        for argument in arguments:
            yield from _atoms(argument)
    elif isinstance(annotation, type):
        yield annotation


def _first_sentence(model: Model, name: str) -> str:
    return field_docstrings(model).get(name, "").partition(". ")[0].rstrip(".")
