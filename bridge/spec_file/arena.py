"""A file and ``--set`` → ArenaSpec, with every problem at once, each with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge.arena_spec import ArenaSpec, check
from bridge.errors import Problem, SpecError
from bridge.spec_file import Source, dump_spec, read_document, validated
from bridge.spec_file.document import Document, Value
from bridge.spec_file.overrides import apply_override
from bridge.spec_file.surroundings import take_surroundings

ArenaSource = Source[ArenaSpec]


def read_arena_spec(path: Path, overrides: Sequence[str] = ()) -> ArenaSource:
    """The spec in a YAML or JSON file, with ``--set`` overrides. Raises SpecError with all problems."""
    document = read_document(path)
    _is_arena(document, path)
    _spread(document.value)
    for override in overrides:
        apply_override(document, override)
        _spread(document.value)
    source = ArenaSource(validated(document, take_surroundings(document, path.parent, ArenaSpec), ArenaSpec), document)
    with source.places_named():
        if problems := list(check(source.spec)):
            raise SpecError(problems)
    return source


def recorded_arena_spec(path: Path) -> ArenaSpec:
    """The spec that a run directory holds; no variable that it names needs to be set any more."""
    return validated(read_document(path), {}, ArenaSpec)


def is_arena_spec(path: Path) -> bool:
    """Whether a run directory's ``spec.yaml`` is that of an arena."""
    try:
        value = read_document(path).value
    except SpecError:
        return False
    return isinstance(value, dict) and "arena" in value


def _is_arena(document: Document, path: Path) -> None:
    value = document.value
    if isinstance(value, dict) and "arena" not in value and "datasets" in value:
        where = document.place(("datasets",)).where or str(path)
        message = "this is the spec of an evaluation, not of an arena"
        raise SpecError([Problem(where, "datasets", message, "bridge run SPEC runs it; an arena has 'arena:'")])


def _spread(value: Value) -> None:
    """Questions that are just a path become a mapping, so that paths and ``--set`` find their place."""
    if isinstance(value, dict) and isinstance(value.get("questions"), str):
        value["questions"] = {"path": value["questions"]}


def arena_yaml(value: Mapping[str, Any], path: Path) -> str:
    """The spec made of plain values, checked, as YAML; ``path`` is named where it does not fit together."""
    try:
        spec = ArenaSpec.model_validate(value)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(map(str, problem["loc"]))
        raise SpecError([Problem(str(path), field, str(problem["msg"]), "mend it there and import it again")]) from None
    if problems := [Problem(str(path), one.field, one.message, one.hint) for one in check(spec)]:
        raise SpecError(problems)
    return dump_spec(spec)
