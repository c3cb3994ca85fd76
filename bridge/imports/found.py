"""What a reader finds in another framework's files, and how it becomes a run folder.

A value is the one that the framework reports. Where the records of the samples come to the same, it gets their standard
error and interval; where they do not, the row says so and has neither.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any

import orjson

from bridge.errors import OutputError, Problem, SpecError, did_you_mean
from bridge.imports import FRAMEWORKS
from bridge.report.aggregate import Average, MetricInfo, aggregate
from bridge.report.schema import (
    ErrorKind,
    ModelInfo,
    Report,
    ReportError,
    ResultRow,
    RunInfo,
    SampleRecord,
    Status,
    Usage,
)
from bridge.report.text import one_line, plural
from bridge.report.write import sample_line, write_report
from bridge.rundir import RunDir

ROUNDED = 6e-5
"""Frameworks report four digits, of fractions or of percents."""
JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Value:
    """A number as the framework reports it, on the scale of the samples' scores; ``subset`` None: over all."""

    metric: str
    value: float
    n: int | None = None
    subset: str | None = None
    stderr: float | None = None


@dataclass
class FoundDataset:
    """One dataset of one model."""

    model: str
    dataset: str
    metrics: list[MetricInfo]
    """The primary one first."""
    values: list[Value]
    samples: Callable[[], Iterable[SampleRecord]] | None
    """Repeats of a sample one after the other; None where there are no records."""
    average: Average = "micro"
    settings: JsonObject = field(default_factory=dict)
    num_fewshot: int | None = None
    split: str | None = None
    source: str = ""
    errors: list[ReportError] = field(default_factory=list)
    unscored: int = 0
    """Samples that the framework lost and of which there is no record."""


@dataclass
class Found:
    """All that there is in one place."""

    version: str
    """The framework's; empty where nothing says."""
    models: list[ModelInfo]
    datasets: list[FoundDataset]
    name: str
    started_at: str = ""
    notes: list[str] = field(default_factory=list)


Read = Callable[[Path], Found]


def import_run(framework: str, path: Path, output: Path) -> Report:
    """Raises SpecError for what is no result of the framework, OutputError for files that cannot be read."""
    if framework not in FRAMEWORKS:
        hint = did_you_mean(framework, FRAMEWORKS) or f"one of: {', '.join(FRAMEWORKS)}"
        raise SpecError([Problem("", "", f"nothing is known about results of {framework!r}", hint)])
    if not path.exists():
        raise SpecError([Problem(str(path), "", "is not there", f"give {FRAMEWORKS[framework].line}")])
    if output.is_dir() and any(output.iterdir()):
        raise SpecError([Problem("--output", "", f"{output} is not empty", "give a new folder")])
    read: Read = import_module(FRAMEWORKS[framework].module).read
    found = read(path)
    if not found.datasets:
        raise SpecError(
            [Problem(str(path), "", f"holds no results of {framework}", f"give {FRAMEWORKS[framework].line}")]
        )
    return _write(found, framework, path, RunDir(output))


def json_file(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise OutputError(f"{path}: not JSON, or only half of it ({error})") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror or error}") from error


def json_lines(path: Path, notes: list[str]) -> Iterator[JsonObject]:
    """The objects in a file of lines; lines that are none are counted in ``notes``."""
    bad = 0
    try:
        with path.open("rb") as lines:
            for line in lines:
                try:
                    record = orjson.loads(line)
                except orjson.JSONDecodeError:
                    bad += bool(line.strip())
                    continue
                if isinstance(record, dict):
                    yield record
                else:
                    bad += 1
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if bad:
        note = f"{path.name}: {plural(bad, 'line')} cannot be read and are left out"
        notes += [] if note in notes else [note]


def number(value: object) -> float | None:
    """A finite number; truth values are numbers, texts are not."""
    if isinstance(value, (bool, int, float)) and isfinite(value):
        return float(value)
    return None


def prompt_hash(value: object) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()


def metric_info(
    name: str, seen: Iterable[float], *, higher_is_better: bool = True, primary: bool = False
) -> MetricInfo:
    """A fraction where every score that was seen is one; else points without bounds."""
    if all(0 <= value <= 1 for value in seen):
        return MetricInfo(name, higher_is_better=higher_is_better, primary=primary)
    return MetricInfo(name, "points", None, None, higher_is_better, primary)


def _write(found: Found, framework: str, path: Path, rundir: RunDir) -> Report:
    several = len({dataset.model for dataset in found.datasets}) > 1
    rows: list[ResultRow] = []
    errors: list[ReportError] = []
    for dataset in found.datasets:
        own, told = _dataset(dataset, framework, found.version, rundir, dataset.model if several else None)
        rows += own
        errors += told
    # Only now have all files been read to their end.
    errors = [_mark(framework, path), *(_warning(note) for note in found.notes), *errors]
    report = Report(
        run=_run(found, framework, path, rows, errors),
        models=tuple(found.models),
        usage=Usage(),
        results=tuple(rows),
        errors=tuple(errors),
    )
    return write_report(rundir, report)


def _run(found: Found, framework: str, path: Path, rows: Sequence[ResultRow], errors: Sequence[ReportError]) -> RunInfo:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    primary = [row for row in rows if row.primary]
    clean = all(error.kind is ErrorKind.WARNING for error in errors)
    whole = clean and all(row.status is Status.COMPLETE for row in primary)
    failed = all(row.value is None for row in primary)
    return RunInfo(
        id=f"{framework}-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}",
        name=found.name,
        status=Status.FAILED if failed else Status.COMPLETE if whole else Status.PARTIAL,
        started_at=found.started_at or now,
        finished_at=found.started_at or now,
        bridge_version=version("evalbridge"),
        spec_sha256="",
        host={"imported from": str(path), "imported at": now},
    )


def _dataset(
    found: FoundDataset, framework: str, framework_version: str, rundir: RunDir, column: str | None
) -> tuple[list[ResultRow], list[ReportError]]:
    path = rundir.samples(framework, found.dataset, column)
    template = ResultRow(
        model=found.model,
        backend=framework,
        backend_version=framework_version or "unknown",
        dataset=found.dataset,
        split=found.split,
        metric=found.metrics[0].name,
        value=None,
        n=0,
        num_fewshot=found.num_fewshot,
        settings={"imported": True, **found.settings},
        source=found.source or None,
    )
    rows: list[ResultRow] = []
    if found.samples is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        records = _written(path, found.samples())
        rows = list(aggregate(records, template=template, metrics=found.metrics, average=found.average))
        relative = str(path.relative_to(rundir.root))
        rows = [row.model_copy(update={"samples": relative}) for row in rows]
    rows = [_as_reported(row, found) for row in rows]
    rows += [_reported_alone(value, found, template) for value in found.values if not _is_there(value, rows)]
    rows = _with_primary(rows, found)
    return rows, [*found.errors, *_unscored(found, framework)]


def _written(path: Path, records: Iterable[SampleRecord]) -> Iterator[SampleRecord]:
    with path.open("wb") as file:
        for record in records:
            file.write(sample_line(record))
            yield record


def _as_reported(row: ResultRow, found: FoundDataset) -> ResultRow:
    """The row with the framework's own value."""
    told = next((value for value in found.values if _same(value, row)), None)
    if found.unscored and row.subset is None:
        row = row.model_copy(update={"n_errors": row.n_errors + found.unscored, "status": Status.PARTIAL})
    if told is None:
        return row
    if row.value is None:
        return _reported_alone(told, found, row.model_copy(update={"n_errors": found.unscored}))
    slack = ROUNDED * max(1.0, abs(told.value))
    if abs(told.value - row.value) <= slack:
        return row
    reason = f"reported {told.value:.6g}; the mean of the samples' scores is {row.value:.6g}"
    return row.model_copy(
        update={
            "value": told.value,
            "stderr": told.stderr,
            "ci95": None,
            "reason": "; ".join(filter(None, (reason, row.reason))),
        }
    )


def _reported_alone(value: Value, found: FoundDataset, template: ResultRow) -> ResultRow:
    """A row of a value that no record stands behind."""
    info = next((one for one in found.metrics if one.name == value.metric), None)
    info = info or metric_info(value.metric, [value.value])
    return template.model_copy(
        update={
            "subset": value.subset,
            "metric": value.metric,
            "value": value.value,
            "n": value.n or 0,
            "unit": info.unit,
            "min_value": info.min_value,
            "max_value": info.max_value,
            "higher_is_better": info.higher_is_better,
            "stderr": value.stderr,
            "reason": "as reported; no record says how its samples were scored",
            "status": Status.PARTIAL if template.n_errors else Status.COMPLETE,
        }
    )


def _with_primary(rows: Sequence[ResultRow], found: FoundDataset) -> list[ResultRow]:
    """Exactly one primary row, whatever was found."""
    if not rows:
        return []
    overall = [row for row in rows if row.subset is None and row.category is None]
    main = next((row for row in overall if row.primary), None)
    main = main or next((row for row in overall if row.metric == found.metrics[0].name), (overall or list(rows))[0])
    return [row.model_copy(update={"primary": row is main}) for row in rows]


def _is_there(value: Value, rows: Iterable[ResultRow]) -> bool:
    return any(_same(value, row) for row in rows)


def _same(value: Value, row: ResultRow) -> bool:
    return value.metric == row.metric and value.subset == row.subset and row.category is None


def _mark(framework: str, path: Path) -> ReportError:
    return ReportError(
        kind=ErrorKind.WARNING,
        message=f"imported: {framework} made these results, not bridge ({one_line(str(path))})",
        hint="what was asked, retried and lost is known as far as its files say",
    )


def _warning(text: str) -> ReportError:
    return ReportError(kind=ErrorKind.WARNING, message=text)


def _unscored(found: FoundDataset, framework: str) -> Iterator[ReportError]:
    if found.unscored:
        yield ReportError(
            kind=ErrorKind.UNANSWERED,
            message=f"{framework} lost samples, and left no record of them",
            count=found.unscored,
            model=found.model,
            backend=framework,
            dataset=found.dataset,
        )


def renumbered(datasets: list[FoundDataset], notes: list[str]) -> list[FoundDataset]:
    """Several results of one dataset and model get names of their own."""
    seen: dict[tuple[str, str], int] = {}
    named = []
    for one in datasets:
        times = seen[one.model, one.dataset] = seen.get((one.model, one.dataset), 0) + 1
        if times > 1:
            notes.append(f"{one.dataset} is there {times} times: the later one is named {one.dataset}.{times}")
            one = replace(one, dataset=f"{one.dataset}.{times}")
        named.append(one)
    return named
