"""The templates of all pages about results, and what they draw with; loads no schema, so that pages start at once."""

from __future__ import annotations

import base64
import hashlib
import os
import pickle
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import jinja2
from jinja2.bccache import Bucket

from bridge.home import home
from bridge.report.language import translator
from bridge.report.numbers import interval_text, value_text
from bridge.report.plot import Axis, axis_for, axis_key, bar
from bridge.report.text import visible

if TYPE_CHECKING:
    from bridge.report.schema import ResultRow

TEMPLATES = "bridge.report.templates"


@dataclass(frozen=True)
class Chart:
    """Rows that share an axis."""

    axis: Axis
    rows: tuple[ResultRow, ...]


@cache
def environment(language: str = "en") -> jinja2.Environment:
    """Templates with everything escaped; an undefined name is an error."""
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("bridge.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_compiled(),
    )
    env.filters.update(plain=visible, value=value_text, interval=interval_text, by_axis=charts)
    env.globals.update(bar=bar, _=translator(language))
    return env


class _Compiled(jinja2.FileSystemBytecodeCache):
    """A damaged file or a full disk costs some time, and no page."""

    def load_bytecode(self, bucket: Bucket) -> None:
        try:
            super().load_bytecode(bucket)
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)


def _compiled() -> jinja2.BytecodeCache | None:
    """Templates compiled once and for all, in the user's cache folder: half a second less for all pages together."""
    folder = home() / "templates"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return _Compiled(str(folder)) if os.access(folder, os.W_OK) else None


@cache
def asset(name: str) -> str:
    return files(TEMPLATES).joinpath(name).read_text(encoding="utf-8")


def content_policy(style: str, script: str) -> str:
    """Nothing is loaded or sent, and nothing runs but the one style and the one script that are in the file."""
    return (
        f"default-src 'none'; script-src '{_source_hash(script)}'; style-src '{_source_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def charts(rows: Sequence[ResultRow]) -> list[Chart]:
    """The rows by axis: fractions together, each kind of rating together."""
    grouped: dict[object, list[ResultRow]] = {}
    for row in rows:
        grouped.setdefault(axis_key(row), []).append(row)
    return [Chart(axis_for(group), tuple(group)) for group in grouped.values()]


def _source_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
