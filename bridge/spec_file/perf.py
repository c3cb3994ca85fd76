"""A file, ``--set`` and flags → PerfSpec, with every problem at once, each with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bridge.errors import Problem, SpecError
from bridge.perf_spec import PerfSpec
from bridge.spec_file import Source, put, read_document, validated
from bridge.spec_file.document import Document, Key, Place, Value
from bridge.spec_file.overrides import apply_override
from bridge.spec_file.surroundings import take_surroundings

PerfSource = Source[PerfSpec]
Given = Mapping[str, tuple[Key, Value]]
"""Option of the command line → the field that it sets, and the value; None where it was not given."""


def read_perf_spec(path: Path, overrides: Sequence[str] = ()) -> PerfSource:
    """The spec in a YAML or JSON file, with ``--set`` overrides. Raises SpecError with all problems."""
    document = read_document(path)
    _is_perf(document, path)
    return _source(document, overrides, path.parent)


def perf_spec_from_flags(given: Given, overrides: Sequence[str] = ()) -> PerfSource:
    """The spec that the command line alone describes. Raises SpecError with all problems."""
    document = Document({})
    for flag, (key, value) in given.items():
        if value is not None:
            put(document, key, value)
            document.places[key] = Place(flag)
    return _source(document, overrides, Path())


def recorded_perf_spec(path: Path) -> PerfSpec:
    """The spec that a run directory holds; no variable that it names needs to be set any more."""
    return validated(read_document(path), {}, PerfSpec)


def is_perf_spec(path: Path) -> bool:
    """Whether a run directory's ``spec.yaml`` is that of a performance test."""
    try:
        value = read_document(path).value
    except SpecError:
        return False
    return isinstance(value, dict) and "perf" in value


def _source(document: Document, overrides: Sequence[str], folder: Path) -> PerfSource:
    _spread(document.value)
    for override in overrides:
        apply_override(document, override)
        _spread(document.value)
    return PerfSource(validated(document, take_surroundings(document, folder, PerfSpec), PerfSpec), document)


def _spread(value: Value) -> None:
    """``input_tokens: 512`` becomes a mapping, a single load a list, so that ``--set`` and paths find their place."""
    perf = value.get("perf") if isinstance(value, dict) else None
    if not isinstance(perf, dict):
        return
    if isinstance(perf.get("load"), dict):
        perf["load"] = [perf["load"]]
    prompts = perf.get("prompts")
    if isinstance(prompts, dict) and isinstance(mean := prompts.get("input_tokens"), int | float):
        prompts["input_tokens"] = {"mean": mean}
    loads = perf.get("load")
    for load in loads if isinstance(loads, list) else []:
        if isinstance(load, dict):
            for kind in ("closed", "open"):
                if isinstance(one := load.get(kind), int | float) and not isinstance(one, bool):
                    load[kind] = [one]


def _is_perf(document: Document, path: Path) -> None:
    value = document.value
    if isinstance(value, dict) and "perf" not in value and "datasets" in value:
        where = document.place(("datasets",)).where or str(path)
        message = "this is the spec of an evaluation, not of a performance test"
        raise SpecError([Problem(where, "datasets", message, "bridge run SPEC runs it; a test has 'perf:'")])
