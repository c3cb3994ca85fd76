"""BenchmarkResults → Report: order, overall status, and the checks that every report passes.

Nothing here raises: a backend that breaks the report's rules costs an ``output`` error (exit code 6), never the
results of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from types import MappingProxyType

from bridge.backend import BenchmarkResult
from bridge.report.schema import (
    EXIT_CODES,
    ErrorKind,
    ModelInfo,
    Report,
    ReportError,
    ResultRow,
    RunInfo,
    Status,
    Usage,
)

Column = tuple[str, str, str]
"""Model, backend, dataset: what has exactly one primary row."""
SLACK = 1e-9


def merge(
    results: Sequence[BenchmarkResult],
    *,
    run_id: str,
    name: str,
    started_at: str,
    finished_at: str,
    bridge_version: str,
    spec_sha256: str,
    models: Sequence[ModelInfo],
    usage: Usage,
    judge_usage: Usage | None = None,
    argv: Sequence[str] = (),
    host: Mapping[str, str] = MappingProxyType({}),
    errors: Sequence[ReportError] = (),
    datasets: Sequence[str] = (),
) -> Report:
    """The report of a run.

    Rows are ordered by ``models``, then by ``datasets`` (the spec's order), then as they come. A primary row that is
    not complete and that no error explains gets an error, so that the exit code never says more than the rows do.
    """
    checked = [_checked(result) for result in results]
    rows = _ordered([row for result in checked for row in result.rows], models, datasets)
    found = [*errors, *(error for result in checked for error in result.errors)]
    found += _unexplained(rows, found)
    tallied = _tallied(found)
    run = RunInfo(
        id=run_id,
        name=name,
        status=_status(rows, tallied),
        started_at=started_at,
        finished_at=finished_at,
        bridge_version=bridge_version,
        spec_sha256=spec_sha256,
        argv=tuple(argv),
        host=dict(host),
    )
    return Report(
        run=run, models=tuple(models), usage=usage, judge_usage=judge_usage, results=tuple(rows), errors=tallied
    )


def _ordered(rows: list[ResultRow], models: Sequence[ModelInfo], datasets: Sequence[str]) -> list[ResultRow]:
    model_at = _places([*(model.name for model in models), *(row.model for row in rows)])
    dataset_at = _places([*datasets, *(row.dataset for row in rows)])
    backend_at = _places(row.backend for row in rows)
    return sorted(rows, key=lambda row: (model_at[row.model], dataset_at[row.dataset], backend_at[row.backend]))


def _places(names: Iterable[str]) -> dict[str, int]:
    return {name: at for at, name in enumerate(dict.fromkeys(names))}


def _status(rows: Iterable[ResultRow], errors: Iterable[ReportError]) -> Status:
    primary = [row for row in rows if row.primary]
    if all(row.value is None for row in primary):
        return Status.FAILED
    whole = all(row.status is Status.COMPLETE for row in primary)
    clean = all(error.kind is ErrorKind.WARNING for error in errors)
    return Status.COMPLETE if whole and clean else Status.PARTIAL


def _tallied(errors: Iterable[ReportError]) -> tuple[ReportError, ...]:
    """Equal errors counted together, the most telling kind first."""
    counts: dict[ReportError, int] = {}
    for error in errors:
        key = error.model_copy(update={"count": 0})
        counts[key] = counts.get(key, 0) + error.count
    rank = {kind: at for at, kind in enumerate(EXIT_CODES)}
    merged = [key.model_copy(update={"count": count}) for key, count in counts.items()]
    return tuple(sorted(merged, key=lambda error: rank[error.kind]))


def _unexplained(rows: Iterable[ResultRow], errors: Iterable[ReportError]) -> Iterator[ReportError]:
    """A primary row that is not complete; or, where that one is, samples that only another metric lacks."""
    told = [error for error in errors if error.kind is not ErrorKind.WARNING]
    for row in _lacking(rows):
        if any(_explains(error, row) for error in told):
            continue
        kind = ErrorKind.UNANSWERED if row.n_errors else ErrorKind.OUTPUT
        yield ReportError(
            kind=kind,
            message=row.reason or f"{row.dataset} has no value",
            hint="run the same command again: only what is missing is asked" if row.n_errors else "",
            count=max(1, row.n_errors),
            model=row.model,
            backend=row.backend,
            dataset=row.dataset,
        )


def _lacking(rows: Iterable[ResultRow]) -> Iterator[ResultRow]:
    columns: dict[Column, list[ResultRow]] = {}
    for row in rows:
        columns.setdefault((row.model, row.backend, row.dataset), []).append(row)
    for column in columns.values():
        whole = all(row.status is Status.COMPLETE for row in column if row.primary)
        worst = max((row for row in column if not row.primary), key=lambda row: row.n_errors, default=None)
        if not whole:
            yield from (row for row in column if row.primary and row.status is not Status.COMPLETE)
        elif worst is not None and worst.n_errors:
            yield worst


def _explains(error: ReportError, row: ResultRow) -> bool:
    return (
        error.dataset in (None, row.dataset)
        and error.backend in (None, row.backend)
        and error.model in (None, row.model)
    )


def _checked(result: BenchmarkResult) -> BenchmarkResult:
    """The result with what cannot be believed in it taken out, and an error for each such thing."""
    problems: list[ReportError] = []
    rows = tuple(_sound(row, problems) for row in result.rows)
    if not rows:
        problems += [] if result.errors else [_output(result.dataset, None, "the backend reported nothing")]
    else:
        rows = tuple(_one_primary(rows, problems))
    return BenchmarkResult(result.dataset, rows, result.samples, (*result.errors, *problems))


def _sound(row: ResultRow, problems: list[ReportError]) -> ResultRow:
    """A value that breaks the metric's own bounds is no value; a missing one has a reason."""
    wrong = _what_is_wrong(row)
    if wrong:
        message = f"{row.metric}{f' of {row.subset}' if row.subset else ''}: {wrong}"
        problems.append(_output(row.dataset, row, message))
        gone = {"value": None, "stderr": None, "ci95": None, "status": Status.FAILED, "reason": wrong}
        return row.model_copy(update=gone)
    if not all(map(isfinite, (row.stderr or 0.0, *(row.ci95 or ())))):
        row = row.model_copy(update={"stderr": None, "ci95": None})
    if row.value is None and not row.reason:
        return row.model_copy(update={"reason": "the backend gave no reason", "status": Status.FAILED})
    if row.status is Status.COMPLETE and (row.n_errors or row.value is None):
        return row.model_copy(update={"status": Status.FAILED if row.value is None else Status.PARTIAL})
    return row


def _what_is_wrong(row: ResultRow) -> str:
    if row.n < 0 or row.n_errors < 0:
        return f"counts cannot be negative: n={row.n}, n_errors={row.n_errors}"
    if row.value is None:
        return ""
    if not isfinite(row.value):
        return f"{row.value} is not a number that can be reported"
    low = -float("inf") if row.min_value is None else row.min_value
    high = float("inf") if row.max_value is None else row.max_value
    if not low - SLACK <= row.value <= high + SLACK:
        return f"{row.value:g} is outside the metric's bounds [{low:g}, {high:g}]"
    return ""


def _one_primary(rows: Sequence[ResultRow], problems: list[ReportError]) -> Iterator[ResultRow]:
    """Each model × backend × dataset keeps its first primary row, or gets its first overall row as one."""
    groups: dict[Column, list[ResultRow]] = {}
    for row in rows:
        groups.setdefault((row.model, row.backend, row.dataset), []).append(row)
    for group in groups.values():
        overall = [row for row in group if row.subset is None and row.category is None] or group
        primary = [row for row in overall if row.primary]
        if len(primary) != 1 or sum(row.primary for row in group) != 1:
            said = sum(row.primary for row in group)
            message = f"exactly one overall row is to be primary, the backend marked {said}"
            problems.append(_output(group[0].dataset, group[0], message))
        main = (primary or overall)[0]
        for row in group:
            yield row if row.primary == (row is main) else row.model_copy(update={"primary": row is main})


def _output(dataset: str, row: ResultRow | None, message: str) -> ReportError:
    hint = "this is a fault of the backend; the samples file holds what it scored"
    model, backend = (row.model, row.backend) if row else (None, None)
    return ReportError(kind=ErrorKind.OUTPUT, message=message, hint=hint, model=model, backend=backend, dataset=dataset)
