"""YAML (and JSON, which is YAML) → plain values, with the place of every one of them.

Scalars follow YAML 1.2: ``no``, ``on`` and dates are text, ``1e-3`` is a number. Whatever could take long or run code
is refused: tags, documents beyond the first, more than 256 KiB, deep nesting, aliases that grow.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from bridge.errors import Problem, SpecError

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
MAX_VALUES = 20_000

Key = tuple[str | int, ...]
"""Where a value stands: ``("datasets", 0, "limit")``."""
Value: TypeAlias = "bool | int | float | str | list[Value] | dict[str, Value] | None"
"""What YAML and JSON can say."""

_INTEGER = re.compile(r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True)
class Place:
    """Where a value was written, and the text that was written there (of a plain scalar)."""

    where: str
    text: str | None = None


@dataclass
class Document:
    """Values, the place of each, and what is wrong with how they are written."""

    value: Value
    places: dict[Key, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, key: Key) -> Place:
        """The place of the value, or of the nearest thing around it."""
        while key and key not in self.places:
            key = key[:-1]
        return self.places.get(key, Place(""))


def dotted(key: Key) -> str:
    """``("datasets", 0, "limit")`` → ``datasets[0].limit``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")


def parse(data: bytes, source: str) -> Document:
    """The document of a file. Raises SpecError where it is no YAML at all; lesser problems are in the document."""
    text = _decode(data, source)
    composer = _Composer(text, source)
    try:
        root = composer.document()
    except yaml.MarkedYAMLError as error:
        raise SpecError([composer.problem(_line_of(error), _reason(error))]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        raise SpecError([composer.problem(line, message)]) from None
    document = Document(None, problems=composer.problems)
    document.value = _Values(document, source).of(root, ())
    return document


def parse_json(data: bytes, source: str) -> Document:
    """As ``parse``, of a file that is to be JSON in the strict sense."""
    text = _decode(data, source)
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        message = f"is not JSON: {error.msg} (column {error.colno})"
        raise SpecError([Problem(f"{source}:{error.lineno}", "", message)]) from None
    except (RecursionError, ValueError):
        raise SpecError([Problem(source, "", "is nested too deep, or holds a number too long")]) from None
    # A tab is white space in JSON, where it cannot be part of a text, but not in YAML.
    return parse(text.replace("\t", " ").encode(), source)


def scalar(text: str) -> Value:
    """The value of a plain scalar, by YAML 1.2's core schema; infinite where it overflows."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return math.inf if _NOT_FINITE.fullmatch(text) else text


@dataclass(frozen=True)
class _Scalar:
    line: int
    text: str
    plain: bool


@dataclass(frozen=True)
class _List:
    line: int
    items: tuple[_Node, ...]


@dataclass(frozen=True)
class _Mapping:
    line: int
    entries: tuple[tuple[_Scalar, _Node], ...]


_Node = _Scalar | _List | _Mapping


class _Composer:
    """Events → nodes. The YAML library's own composer knows no limits and forgets duplicate keys."""

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        self._anchors: dict[str, _Node] = {}
        self._count = 0

    def problem(self, line: int, message: str, hint: str = "") -> Problem:
        return Problem(f"{self.source}:{line}", "", message, hint)

    def document(self) -> _Node:
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return _Scalar(1, "", plain=True)
        root = self._node(next(self._events), 0)
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise SpecError([self.problem(_line(after), "a second document starts here; a spec is one document")])
        return root

    def _node(self, event: yaml.Event, depth: int) -> _Node:
        line = _line(event)
        self._count += 1
        if depth > MAX_DEPTH:
            raise SpecError([self.problem(line, f"is nested more than {MAX_DEPTH} levels deep")])
        if self._count > MAX_VALUES:
            raise SpecError([self.problem(line, f"holds more than {MAX_VALUES} values up to here")])
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, line)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        if event.tag not in (None, "!"):
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")[:60]
            hint = "a spec is plain text, numbers, true, false, lists and mappings"
            raise SpecError([self.problem(line, f"the tag {tag!r} is not allowed", hint)])
        node = self._content(event, line, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _content(self, event: yaml.Event, line: int, depth: int) -> _Node:
        if isinstance(event, yaml.SequenceStartEvent):
            return _List(line, tuple(self._node(item, depth + 1) for item in self._until(yaml.SequenceEndEvent)))
        if isinstance(event, yaml.MappingStartEvent):
            return _Mapping(line, tuple(self._entries(depth)))
        assert isinstance(event, yaml.ScalarEvent)
        return self._scalar(event, line)

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> _Scalar:
        try:
            # JSON writes what is beyond U+FFFF as two escapes, which YAML's rules leave as two halves.
            text = event.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise SpecError([self.problem(line, "holds half of a surrogate pair, which is no character")]) from None
        return _Scalar(line, text, plain=event.style is None)

    def _alias(self, event: yaml.AliasEvent, line: int) -> _Node:
        if event.anchor not in self._anchors:
            message = f"the alias *{str(event.anchor)[:60]} stands for nothing that is complete above"
            raise SpecError([self.problem(line, message)])
        return self._anchors[event.anchor]

    def _until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        while not isinstance(event := next(self._events), end):
            yield event

    def _entries(self, depth: int) -> Iterator[tuple[_Scalar, _Node]]:
        seen: dict[str, int] = {}
        for event in self._until(yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if not isinstance(key, _Scalar):
                raise SpecError([self.problem(key.line, "a key is to be text, not a list or a mapping")])
            if key.text in seen:
                message = f"the key {key.text[:60]!r} is there twice; it was first given in line {seen[key.text]}"
                self.problems.append(self.problem(key.line, message, "remove one of them"))
            else:
                seen[key.text] = key.line
                yield key, value


class _Values:
    """Nodes → plain values; an alias stands for its content each time, so the count is taken here."""

    def __init__(self, document: Document, source: str) -> None:
        self._document = document
        self._source = source
        self._count = 0

    def of(self, node: _Node, key: Key, line: int | None = None) -> Value:
        """``line`` is where the key stands, which is what an editor should show for a mapping or a list."""
        self._count += 1
        where = f"{self._source}:{line or node.line}"
        if self._count > MAX_VALUES or len(key) > MAX_DEPTH:
            raise SpecError([Problem(where, "", "grows too large when its aliases are followed")])
        self._document.places[key] = Place(where, node.text if isinstance(node, _Scalar) and node.plain else None)
        if isinstance(node, _Scalar):
            return self._scalar(node, key, where)
        if isinstance(node, _List):
            return [self.of(item, (*key, index)) for index, item in enumerate(node.items)]
        return {name.text: self.of(value, (*key, name.text), name.line) for name, value in node.entries}

    def _scalar(self, node: _Scalar, key: Key, where: str) -> Value:
        value = scalar(node.text) if node.plain else node.text
        if isinstance(value, float) and not math.isfinite(value):
            self._document.problems.append(Problem(where, dotted(key), f"{node.text[:40]} is not a finite number"))
            return 0.0
        return value


def _decode(data: bytes, source: str) -> str:
    if len(data) > MAX_BYTES:
        raise SpecError([Problem(source, "", f"is larger than {MAX_BYTES // 1024} KiB; is this a spec?")])
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SpecError([Problem(f"{source}:{line}", "", "is not UTF-8 text", "save the file as UTF-8")]) from None


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _line_of(error: yaml.MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 1


def _reason(error: yaml.MarkedYAMLError) -> str:
    began = error.context_mark.line + 1 if error.context_mark else _line_of(error)
    since = f" that starts in line {began}" if began != _line_of(error) else ""
    return ": ".join(filter(None, ["is not YAML", f"{error.context}{since}" if error.context else "", error.problem]))
