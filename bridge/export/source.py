"""What an exporter gets to see of a run, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge.errors import EnvError, OutputError, Problem, SpecError, did_you_mean
from bridge.export import FORMATS
from bridge.report.compare_sides import samples_path
from bridge.report.overview import is_overall
from bridge.report.read import read_report
from bridge.report.schema import ModelInfo, Report, ResultRow, SampleRecord
from bridge.report.text import one_line, plural
from bridge.rundir import slug

NO_MODEL = ModelInfo(name="", source="", engine="unknown")
GENERATION = ("temperature", "top_p", "top_k", "max_tokens", "seed", "stop")


@dataclass(frozen=True)
class Column:
    """One model × backend × dataset."""

    model: ModelInfo
    rows: tuple[ResultRow, ...]
    path: Path | None
    """Of the samples; None where there are none."""

    @property
    def primary(self) -> ResultRow:
        return next((row for row in self.rows if row.primary), self.rows[0])

    @property
    def name(self) -> str:
        """One component of a path."""
        return slug(f"{self.primary.dataset}.{self.primary.backend}")

    def overall(self) -> list[ResultRow]:
        return [row for row in self.rows if is_overall(row)]

    def generation(self) -> dict[str, Any]:
        """Sampling settings, wherever the backend puts them."""
        settings = self.primary.settings
        nested = settings.get("generation")
        found = {**settings, **(nested if isinstance(nested, Mapping) else {})}
        return {name: found[name] for name in GENERATION if found.get(name) is not None}


@dataclass
class Source:
    root: Path
    report: Report
    columns: tuple[Column, ...]
    meta: Mapping[str, str] = field(default_factory=dict)
    """What the format needs to be told, by ``--meta``."""
    notes: list[str] = field(default_factory=list)
    """What could not be carried over; told at the end."""

    def records(self, column: Column) -> Iterator[SampleRecord]:
        """The column's samples; lines that are none are counted in ``notes``."""
        if column.path is None:
            self.note(column, "there are no records of samples: only the totals are exported")
            return
        unreadable = 0
        try:
            with column.path.open("rb") as lines:
                for line in lines:
                    try:
                        yield SampleRecord.model_validate_json(line)
                    except ValidationError:
                        unreadable += 1
        except OSError as error:
            raise OutputError(f"{column.path}: cannot be read: {error.strerror or error}") from error
        if unreadable:
            self.note(column, f"{plural(unreadable, 'line')} of {column.path.name} cannot be read and are left out")

    def note(self, column: Column, text: str) -> None:
        told = f"{one_line(column.primary.dataset)} ({one_line(column.primary.backend)}): {text}"
        if told not in self.notes:
            self.notes.append(told)


Export = Callable[[Source, Path], Sequence[Path]]
"""Writes the files under a folder and returns them."""


def export(run: Path, to: str, output: Path | None, meta: Sequence[str] = ()) -> tuple[list[Path], list[str]]:
    """The files that were written, and what could not be carried over.

    Raises SpecError for an unknown format or an unknown ``KEY=VALUE``, OutputError where the run cannot be read, and
    EnvError where the format's library is not installed.
    """
    if to not in FORMATS:
        raise SpecError(
            [Problem("--to", "", f"there is no format {to!r}", did_you_mean(to, FORMATS) or _listed(FORMATS))]
        )
    module = import_module(FORMATS[to].module)
    source = read_source(run, _meta(meta, to, module.META))
    folder = output or source.root / "exports" / to
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = list(module.export(source, folder))
    except OSError as error:
        raise OutputError(f"{error.filename or folder}: cannot be written: {error.strerror or error}") from error
    except ImportError as error:
        needed = FORMATS[to].line.rpartition("; ")[2]
        raise EnvError(f"the format {to} needs a library that is not installed ({error.name}): {needed}") from error
    return files, source.notes


def read_source(run: Path, meta: Mapping[str, str] = {}) -> Source:
    report = read_report(run)
    root = run if run.is_dir() else run.parent
    infos = {info.name: info for info in report.models}
    grouped: dict[tuple[str, str, str], list[ResultRow]] = {}
    for row in report.results:
        grouped.setdefault((row.model, row.backend, row.dataset), []).append(row)
    columns = [
        Column(infos.get(model, NO_MODEL.model_copy(update={"name": model})), tuple(rows), _path(rows, root))
        for (model, _, _), rows in grouped.items()
    ]
    return Source(root, report, tuple(columns), meta)


def text_of(value: object) -> str:
    """Any JSON value as text; texts as they are."""
    import orjson

    from bridge.report.text import well_formed

    return str(well_formed(value)) if isinstance(value, str) else orjson.dumps(well_formed(value), default=str).decode()


def _path(rows: Sequence[ResultRow], root: Path) -> Path | None:
    return next((path for row in rows if (path := samples_path(row, root)) is not None), None)


def _meta(given: Sequence[str], to: str, allowed: Mapping[str, str]) -> dict[str, str]:
    found, problems = {}, []
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or name not in allowed:
            hint = did_you_mean(name, allowed) or (f"allowed: {_listed(allowed)}" if allowed else "it takes none")
            problems.append(
                Problem("--meta", "", f"{to} takes no {name!r}" if equals else f"{item!r} is no KEY=VALUE", hint)
            )
        found[name] = value
    if problems:
        raise SpecError(problems)
    return found


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(names)
