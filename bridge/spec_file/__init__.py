"""Files, ``--set`` and flags → TaskSpec, with every problem at once; and TaskSpec → ``spec.yaml``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from bridge.errors import Problem, SpecError, did_you_mean
from bridge.spec import TaskSpec
from bridge.spec_file.document import MAX_BYTES, Document, Key, Place, Value, parse, parse_json, scalar
from bridge.spec_file.overrides import apply_override, key_of, use_backend
from bridge.spec_file.problems import explain, kind_problems
from bridge.spec_file.rest import WhatElse, nothing_else, rest_of
from bridge.spec_file.surroundings import take_surroundings

S = TypeVar("S", bound=BaseModel)


@dataclass(frozen=True)
class Source(Generic[S]):
    """A spec, and where each of its fields was given."""

    spec: S
    document: Document

    @contextmanager
    def places_named(self) -> Iterator[None]:
        """Problems that are found in the block, such as an unknown dataset, get file and line."""
        try:
            yield
        except SpecError as error:
            raise type(error)([placed(problem, self.document) for problem in error.problems]) from error


SpecSource = Source[TaskSpec]


def placed(problem: Problem, document: Document) -> Problem:
    """With file and line, where its field was given."""
    key = None if problem.where else key_of(problem.field)
    return problem if key is None else replace(problem, where=document.place(key).where)


def load_spec(path: Path, overrides: Sequence[str] = ()) -> TaskSpec:
    """The spec in a YAML or JSON file, with ``--set`` overrides (``a.b=c``). Raises SpecError with all problems."""
    return read_spec(path, overrides).spec


def read_spec(
    path: Path, overrides: Sequence[str] = (), backend: str | None = None, what_else: WhatElse = nothing_else
) -> SpecSource:
    """As ``load_spec``, with the places; ``backend`` replaces every backend that the file names.

    Where the spec has problems, those that ``what_else`` finds in the rest of it are told with them.
    """
    return _source(read_document(path), overrides, backend, path.parent, what_else)


def recorded_spec(path: Path) -> TaskSpec:
    """The spec that a run directory holds; no variable that it names needs to be set any more."""
    return validated(read_document(path), {}, TaskSpec)


def spec_from_mapping(mapping: Mapping[str, Any], overrides: Sequence[str] = (), folder: Path = Path()) -> TaskSpec:
    """The spec that plain values hold, as JSON would; relative paths are taken from ``folder``."""
    try:
        text = json.dumps(mapping, allow_nan=False, default=os.fspath)
    except (TypeError, ValueError, RecursionError) as error:
        raise SpecError([Problem("", "", f"is not made of plain values: {error}")]) from None
    document = parse_json(text.encode(), "")
    document.places.clear()
    return _source(document, overrides, None, folder).spec


def spec_from_flags(
    *,
    base_url: str | None,
    model: str | None,
    datasets: Sequence[str],
    limit: int | None = None,
    api_key_env: str | None = None,
    overrides: Sequence[str] = (),
    backend: str | None = None,
    what_else: WhatElse = nothing_else,
) -> SpecSource:
    """The spec that the command line alone describes: a running server and names of datasets."""
    given: dict[str, tuple[Key, Value]] = {
        "--model": (("model", "name"), model),
        "--base-url": (("model", "endpoint", "base_url"), base_url),
        "--datasets": (("datasets",), list(datasets) or None),
        "--limit": (("limit",), limit),
        "--api-key-env": (("model", "endpoint", "api_key_env"), api_key_env),
    }
    needed = ("--base-url", "--model", "--datasets")
    if missing := [flag for flag in needed if given[flag][1] is None]:
        hint = f"without a spec file, {', '.join(needed)} are needed"
        raise SpecError([Problem(flag, "", "is missing", hint) for flag in missing])
    document = Document({})
    for flag, (key, value) in given.items():
        if value is not None:
            put(document, key, value)
            document.places[key] = Place(flag)
    return _source(document, overrides, backend, Path(), what_else)


def dump_spec(spec: BaseModel) -> str:
    """The spec as YAML that reads back to an equal one, whatever folder it is in."""
    return yaml.dump(_written(spec), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def read_document(path: Path) -> Document:
    data = _bytes(path)
    return parse_json(data, str(path)) if path.suffix.lower() == ".json" else parse(data, str(path))


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise SpecError([Problem(str(path), "", "is a folder; a spec is a YAML or JSON file")]) from None
    except FileNotFoundError:
        beside = [other.name for other in path.parent.glob("*") if other.suffix in (".yaml", ".yml", ".json")]
        raise SpecError([Problem(str(path), "", "there is no such file", did_you_mean(path.name, beside))]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError([Problem(str(path), "", f"cannot be read: {reason}")]) from None


def _source(
    document: Document,
    overrides: Sequence[str],
    backend: str | None,
    folder: Path,
    what_else: WhatElse = nothing_else,
) -> SpecSource:
    _name_datasets(document.value)
    for override in overrides:
        apply_override(document, override)
        _name_datasets(document.value)
    if backend is not None:
        use_backend(document, backend)
    _no_other_kind(document)
    surroundings = take_surroundings(document, folder)
    try:
        return SpecSource(validated(document, surroundings, TaskSpec), document)
    except SpecError as error:
        rest = rest_of(document, error.problems)
        if rest is None:
            raise
        more = [placed(problem, document) for problem in what_else(rest) if rest.stands(problem)]
        raise SpecError(sorted([*error.problems, *more], key=_by_line)) from None


def _no_other_kind(document: Document) -> None:
    others = {
        "arena": ("this is the spec of an arena, not of an evaluation", "bridge arena run SPEC runs it"),
        "perf": ("this is the spec of a performance test, not of an evaluation", "bridge perf SPEC runs it"),
    }
    for name, (message, hint) in others.items():
        if isinstance(document.value, dict) and name in document.value:
            raise SpecError([Problem(document.place((name,)).where, name, message, hint)])


def validated(
    document: Document, problems: Mapping[Key, Problem], model: type[S], read: Callable[[Value], S] | None = None
) -> S:
    """The document as ``model``, by ``read`` where its kinds are read in another way than pydantic's usual.

    Raises SpecError with the document's problems, those in ``problems``, and the model's own.
    """
    found = {**kind_problems(document, model), **problems}
    try:
        spec = (read or model.model_validate)(document.value)
    except ValidationError as error:
        found = {**explain(error, document, model), **found}
    told = {problem.field for problem in document.problems} - {""}
    everything = [*document.problems, *(problem for problem in found.values() if problem.field not in told)]
    if everything:
        raise SpecError(sorted(everything, key=_by_line))
    return spec


def _by_line(problem: Problem) -> tuple[str, int]:
    source, _, line = problem.where.rpartition(":")
    return (source, int(line)) if line.isdecimal() else (problem.where, 0)


def _name_datasets(value: Value) -> None:
    """A dataset that is just a name becomes a mapping, so that ``--set datasets[0].limit=5`` finds its place."""
    datasets = value.get("datasets") if isinstance(value, dict) else None
    if isinstance(datasets, list):
        datasets[:] = [{"name": entry} if isinstance(entry, str) else entry for entry in datasets]


def put(document: Document, key: Key, value: Value) -> None:
    holder = document.value
    for part in key[:-1]:
        assert isinstance(holder, dict)
        holder = holder.setdefault(str(part), {})
    assert isinstance(holder, dict)
    holder[str(key[-1])] = value


def _written(value: object) -> Any:
    """What there is to say about a part of the spec: without nothing, empty lists and empty mappings."""
    if isinstance(value, BaseModel):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        return {name: _written(given) for name, given in fields.items() if given not in (None, (), {})}
    return [_written(item) for item in value] if isinstance(value, tuple) else value


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Quoted where this project's rules for plain scalars, which are YAML 1.2's, would read something else."""
    style = None if scalar(text) == text and text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
