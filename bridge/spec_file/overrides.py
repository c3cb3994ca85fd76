"""``--set a.b[0].c=value``: changes to a spec that has been read and not yet checked."""

from __future__ import annotations

import math
import re

from bridge.errors import Problem, SpecError, did_you_mean
from bridge.spec_file.document import Document, Key, Place, Value, dotted, parse, scalar
from bridge.spec_file.problems import shown

_PART = re.compile(r"([^.\[\]]+)|\[(\d{1,6})\]")
_PATH = re.compile(r"[^.\[\]]+(\.[^.\[\]]+|\[\d{1,6}\])*")


def apply_override(document: Document, option: str) -> None:
    """Sets one value; what is wrong with the option goes to the document's problems."""
    try:
        _apply(document, option)
    except SpecError as error:
        document.problems += error.problems


def use_backend(document: Document, backend: str) -> None:
    """One backend for every dataset, whatever the file says."""
    if not isinstance(document.value, dict):
        return
    datasets = document.value.get("datasets")
    for dataset in datasets if isinstance(datasets, list) else []:
        if isinstance(dataset, dict):
            dataset.pop("backend", None)
    document.value["backend"] = backend
    _mark(document, ("backend",), "--backend")


def key_of(path: str) -> Key | None:
    """``datasets[0].limit`` or ``datasets.0.limit`` → the key; None where it is no path."""
    if not _PATH.fullmatch(path):
        return None
    return tuple(int(m[2]) if m[2] else m[1] for m in _PART.finditer(path))


def _apply(document: Document, option: str) -> None:
    where = f"--set {option if len(option) <= 80 else option[:77] + '…'}"
    path, equals, text = option.partition("=")
    key = key_of(path.strip())
    if not equals or key is None:
        raise SpecError([Problem(where, "", "is to be field=value", "--set limit=20, --set datasets[0].num_fewshot=5")])
    value = _value(text.strip(), where)
    if document.value is None:
        document.value = {}
    holder: Value = document.value
    resolved = _Key(where)
    for part in key[:-1]:
        holder = resolved.step(holder, part)
    resolved.put(holder, key[-1], value)
    _mark(document, tuple(resolved.parts), where)


def _value(text: str, where: str) -> Value:
    """Lists, mappings and quoted text as YAML; anything else is one plain scalar, whatever characters it has."""
    if text[:1] in ("[", "{", '"', "'"):
        try:
            read = parse(text.encode("utf-8", "surrogateescape"), where)
        except SpecError as error:
            raise SpecError([Problem(where, "", problem.message, problem.hint) for problem in error.problems]) from None
        if read.problems:
            raise SpecError([Problem(where, "", problem.message, problem.hint) for problem in read.problems])
        return read.value
    value = scalar(text)
    if isinstance(value, float) and not math.isfinite(value):
        raise SpecError([Problem(where, "", f"{text[:40]} is not a finite number")])
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise SpecError([Problem(where, "", "is not UTF-8 text")])
    return value


class _Key:
    """A path of ``--set`` on its way through the spec, with the entries of lists found by number or by name."""

    def __init__(self, where: str) -> None:
        self.parts: list[str | int] = []
        self._where = where

    def step(self, holder: Value, part: str | int) -> Value:
        """What stands at ``part``; a mapping is made where nothing stands there yet."""
        if isinstance(holder, list):
            return holder[self._entry(holder, part)]
        inner = self._mapping(holder, part)
        name = self._name(part)
        if inner.get(name) is None:
            inner[name] = {}
        return inner[name]

    def put(self, holder: Value, part: str | int, value: Value) -> None:
        if isinstance(holder, list):
            holder[self._entry(holder, part)] = value
        else:
            self._mapping(holder, part)[self._name(part)] = value

    def _name(self, part: str | int) -> str:
        self.parts.append(str(part))
        return str(part)

    def _mapping(self, holder: Value, part: str | int) -> dict[str, Value]:
        if not isinstance(holder, dict):
            raise self._wrong(part, f"there is nothing in {shown(holder)} that could be set")
        if isinstance(part, int):
            raise self._wrong(part, "is not in a list; entries have names here, not numbers")
        return holder

    def _entry(self, holder: list[Value], part: str | int) -> int:
        index = self._by_number(holder, int(part)) if str(part).isdecimal() else self._by_name(holder, str(part))
        self.parts.append(index)
        return index

    def _by_number(self, holder: list[Value], index: int) -> int:
        if index >= len(holder):
            raise self._wrong(index, f"there are only {len(holder)} entries, counted from 0")
        return index

    def _by_name(self, holder: list[Value], name: str) -> int:
        names = [str(entry.get("alias") or entry.get("name")) if isinstance(entry, dict) else "" for entry in holder]
        if names.count(name) != 1:
            message = f"there is no entry {name!r}" if name not in names else f"{name!r} is there more than once"
            raise self._wrong(name, message, did_you_mean(name, filter(None, names)))
        return names.index(name)

    def _wrong(self, part: str | int, message: str, hint: str = "") -> SpecError:
        return SpecError([Problem(self._where, dotted((*self.parts, part)), message, hint)])


def _mark(document: Document, key: Key, where: str) -> None:
    """From here on the value and all in it were given by the option."""
    for other in [other for other in document.places if other[: len(key)] == key]:
        del document.places[other]
    document.places[key] = Place(where)
