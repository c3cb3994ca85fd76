"""What a spec with problems still says: the spec without its broken fields, and which parts of it can be judged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from bridge.errors import Problem, did_you_mean
from bridge.spec import DatasetSpec, TaskSpec
from bridge.spec_file.document import Document, Key, Value
from bridge.spec_file.overrides import key_of

_NAMING = ("name", "alias", "backend", "definition")
"""Fields of a dataset that say what it is, and who is asked for it."""
_NEEDED = ("backend", "data", "judge", "judges", "options")
"""Fields of the spec without which a backend finds its datasets lacking."""
_WHO = ("model", "models", "judge", "judges")
_STAND_IN: dict[str, Value] = {"name": "model", "endpoint": {"base_url": "http://127.0.0.1:0/v1"}}
"""For a model that cannot be read: whether a dataset is known does not hang on it."""


@dataclass(frozen=True)
class Rest:
    """``spec`` has defaults for its broken fields, and stand-ins for what has none."""

    spec: TaskSpec
    broken: frozenset[Key]

    @property
    def has_models(self) -> bool:
        """Whether its models are those that were written, whole."""
        return self._is_whole(("model",)) and self._is_whole(("models",))

    def stands(self, problem: Problem) -> bool:
        """Whether it is a problem of its own, and cannot come from what is broken."""
        key = key_of(problem.field) or ()
        if key[:1] != ("datasets",) or len(key) < 2:
            return True
        if len(key) == 2:  # two datasets of one name
            return all(map(self._is_named, range(len(self.spec.datasets))))
        return self._is_named(key[1]) if key[2] in ("name", "backend") else self._is_whole(key)

    def whole(self, datasets: Iterable[DatasetSpec]) -> tuple[DatasetSpec, ...]:
        """Those of the datasets whose every field is as it was written, with all that they may need around them."""
        if any(_may_mean(key[0], _NEEDED, TaskSpec) for key in self.broken):
            return ()
        return tuple(one for one in datasets if self._is_whole(("datasets", self.spec.datasets.index(one))))

    def _is_whole(self, key: Key) -> bool:
        return _part_of(key) not in map(_part_of, self.broken)

    def _is_named(self, index: str | int) -> bool:
        inside = [key[2:] for key in self.broken if key[:2] == ("datasets", index)]
        if any(not fields or _may_mean(fields[0], _NAMING, DatasetSpec) for fields in inside):
            return False
        own = self.spec.datasets[int(index)].backend
        return own is not None or not any(_may_mean(key[0], ("backend",), TaskSpec) for key in self.broken)


WhatElse = Callable[[Rest], Iterable[Problem]]
"""Finds more problems, in what a broken spec still says."""


def nothing_else(rest: Rest) -> Iterable[Problem]:
    """For a spec whose datasets nobody looks up."""
    return ()


def rest_of(document: Document, problems: Iterable[Problem]) -> Rest | None:
    """None where part of what was meant is not in the document, or no dataset can be read."""
    value = deepcopy(document.value)
    unheard = any(not problem.field for problem in document.problems)
    if unheard or not isinstance(value, dict) or not isinstance(value.get("datasets"), list):
        return None
    broken = {key for problem in problems if (key := key_of(problem.field))}
    for key in broken:
        _remove(value, key)
    while True:
        try:
            return Rest(TaskSpec.model_validate(value), frozenset(broken))
        except ValidationError as error:
            lacking = {_existing(value, detail["loc"]) for detail in error.errors(include_url=False)}
        if () in lacking:  # not one model, or several of one name
            lacking = {(name,) for name in _WHO}
        if lacking <= broken:
            return None
        broken |= lacking
        for key in lacking:
            _remove(value, key)


def _existing(value: Value, place: tuple[str | int, ...]) -> Key:
    """The innermost part of the spec around a field that is missing, or cannot be without its neighbour."""
    key: Key = ()
    for part in place:
        if isinstance(value, dict) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part]
        else:
            break
        key = (*key, part)
    return key


def _remove(value: dict[str, Value], key: Key) -> None:
    """A field, with all that is in it; a dataset leaves a stand-in, so that the others keep their places."""
    *outer, last = _removable(key)
    holder: Any = value
    for part in outer:
        holder = holder.get(part) if isinstance(holder, dict) else holder[part]
        if not isinstance(holder, dict | list):
            return
    if isinstance(holder, dict):
        holder.pop(last, None)
    elif isinstance(last, int) and last < len(holder):
        holder[last] = {"name": f"dataset-{last}"}
    if value.keys().isdisjoint({"model", "models"}):
        value["model"] = dict(_STAND_IN)


def _removable(key: Key) -> Key:
    """Of a list other than the datasets, no entry goes alone."""
    start = 2 if key[0] == "datasets" else 1
    return next((key[:at] for at in range(start, len(key)) if isinstance(key[at], int)), key)


def _part_of(key: Key) -> Key:
    return key[:2] if key[:1] == ("datasets",) else key[:1]


def _may_mean(name: str | int, wanted: Collection[str], model: type[DatasetSpec | TaskSpec]) -> bool:
    """Whether the field is one of those that are wanted, or a new name that looks like one."""
    return name in wanted or (name not in model.model_fields and bool(did_you_mean(str(name), wanted)))
