"""From a job's folder to rows of the report: what the collectors of both backends do alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from bridge.backend import BenchmarkResult, Outcome, Task
from bridge.report.aggregate import MetricInfo, Scored, aggregate
from bridge.report.schema import ErrorKind, ReportError, ResultRow, SampleRecord, Status
from bridge.spec import DatasetSpec, JsonObject

JOB, SAMPLES, PROGRESS = "job.json", "samples.jsonl", "progress.json"
"""Files of every job: what to do; what is asked, one line per sample; how far it is."""


def backend_version() -> str:
    """These backends are parts of bridge."""
    return version("evalbridge")


@dataclass(frozen=True)
class Records:
    """Sample records that are read from disk anew by every iteration."""

    read: Callable[[], Iterator[SampleRecord]]

    def __iter__(self) -> Iterator[SampleRecord]:
        return self.read()


def template(outcome: Outcome, backend: str, dataset: DatasetSpec, settings: dict[str, Any]) -> ResultRow:
    """The fields that all rows of a dataset share."""
    return ResultRow(
        model=outcome.model,
        backend=backend,
        backend_version=backend_version(),
        dataset=dataset.id,
        metric="",
        value=None,
        n=0,
        settings={name: value for name, value in settings.items() if value is not None},
    )


def settings_of(task: Task, dataset: DatasetSpec) -> dict[str, Any]:
    """What changes the score of every dataset: how many samples, and how they are answered."""
    generation = task.generation(dataset).model_dump(exclude_defaults=True) | {
        "temperature": task.generation(dataset).temperature
    }
    repeats = task.spec.repeats_of(dataset)
    return {
        "limit": task.spec.limit_of(dataset),
        "repeats": repeats if repeats > 1 else None,
        "generation": generation,
    }


def rows_of(
    records: Iterable[Scored], *, template: ResultRow, metric: MetricInfo, primary: bool = False
) -> tuple[ResultRow, ...]:
    """One metric's rows over the records that it is about; the overall one is the primary row only if ``primary``."""
    rows = aggregate(records, template=template, metrics=[metric])
    return tuple(row if primary or not row.primary else row.model_copy(update={"primary": False}) for row in rows)


def null_row(template: ResultRow, metric: MetricInfo, reason: str, *, n_errors: int = 0) -> ResultRow:
    """A metric that has no value, and why."""
    return template.model_copy(
        update={
            "metric": metric.name,
            "unit": metric.unit,
            "min_value": metric.min_value,
            "max_value": metric.max_value,
            "higher_is_better": metric.higher_is_better,
            "primary": metric.primary,
            "n_errors": n_errors,
            "status": Status.FAILED,
            "reason": reason,
        }
    )


def why_unfinished(outcome: Outcome) -> str:
    """What to say of a sample that the job has left nothing about."""
    return (
        f"not asked: {outcome.reason}" if outcome.reason else "not asked: the job ended before it came to this sample"
    )


def job_errors(outcome: Outcome, shared: ResultRow) -> tuple[ReportError, ...]:
    """An error where the job itself failed; of a job that bridge stopped, bridge tells the reason."""
    never_started = outcome.exit_code is None and not outcome.started_at
    if outcome.exit_code == 0 or never_started or outcome.stopped in ("interrupted", "endpoint"):
        return ()
    last = next((line for line in reversed(outcome.log_tail) if line.strip()), "")
    return (
        ReportError(
            kind=ErrorKind.BACKEND,
            message=last or outcome.reason,
            hint=outcome.reason,
            model=shared.model,
            backend=shared.backend,
            dataset=shared.dataset,
        ),
    )


def warning(shared: ResultRow, message: str, *, count: int = 1) -> ReportError:
    """Something that a reader of the report should know."""
    return ReportError(
        kind=ErrorKind.WARNING,
        message=message,
        count=count,
        model=shared.model,
        backend=shared.backend,
        dataset=shared.dataset,
    )


def read_samples(outcome: Outcome) -> list[JsonObject]:
    """The job's list of what it was to do; empty where it did not come so far, or the list is damaged."""
    path = outcome.dir / SAMPLES
    try:
        return [json.loads(line) for line in path.read_bytes().splitlines()]
    except (OSError, ValueError):
        return []


def nothing_begun(outcome: Outcome, shared: ResultRow, metric: MetricInfo) -> BenchmarkResult:
    """The result of a job that has not even left the list of its samples."""
    last = next((line for line in reversed(outcome.log_tail) if line.strip()), "")
    reason = last or outcome.reason or "the job left no list of its samples"
    row = null_row(shared, replace(metric, primary=True), reason)
    kind = ErrorKind.OUTPUT if outcome.exit_code == 0 else ErrorKind.UNANSWERED
    error = ReportError(kind=kind, message=reason, model=row.model, backend=row.backend, dataset=row.dataset)
    return BenchmarkResult(row.dataset, (row,), errors=job_errors(outcome, row) or (error,))
