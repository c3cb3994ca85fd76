"""What every rendering of a report says first, and how it lines rows up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.report.schema import Report, ResultRow, RunInfo, Status
from bridge.report.text import plural


@dataclass(frozen=True)
class Line:
    """One metric of one dataset with one model, through every backend that has it."""

    dataset: str
    metric: str
    """Where backends call their primary metric differently, all the names."""
    primary: bool
    cells: dict[str, ResultRow]
    """By backend."""


def headline(report: Report) -> str:
    """One sentence: what can be believed, and what is missing."""
    rows = primary_rows(report)
    scored, lost = sum(row.n for row in rows), sum(row.n_errors for row in rows)
    if report.status is Status.FAILED:
        return f"no dataset has a score; {plural(lost, 'sample')} not scored" if lost else "no dataset has a score"
    if report.status is Status.COMPLETE:
        return f"{plural(len(rows), 'result')} over {plural(scored, 'scored sample')}"
    broken = sum(row.status is not Status.COMPLETE for row in rows)
    what = f"{broken} of {plural(len(rows), 'result')} not complete" if broken else "there were errors"
    lost_text = f"{lost:,} of {plural(scored + lost, 'sample')} without an answer or a score, and in no value"
    return f"{what}; {lost_text}" if lost else what


def primary_rows(report: Report) -> list[ResultRow]:
    return [row for row in report.results if row.primary]


def is_overall(row: ResultRow) -> bool:
    """Not a subset and not a category."""
    return row.subset is None and row.category is None


def backends(rows: Iterable[ResultRow]) -> list[str]:
    return list(dict.fromkeys(row.backend for row in rows))


def lines(rows: Sequence[ResultRow]) -> list[Line]:
    """The overall rows of one model, each dataset's primary line first, backends side by side."""
    found: list[Line] = []
    for dataset in dict.fromkeys(row.dataset for row in rows):
        own = [row for row in rows if row.dataset == dataset and is_overall(row)]
        primary = {row.backend: row for row in own if row.primary}
        if primary:
            names = " / ".join(dict.fromkeys(row.metric for row in primary.values()))
            found.append(Line(dataset, names, True, primary))
        rest = [row for row in own if not row.primary]
        for metric in dict.fromkeys(row.metric for row in rest):
            found.append(Line(dataset, metric, False, {row.backend: row for row in rest if row.metric == metric}))
    return found


def duration_s(run: RunInfo) -> float | None:
    """From the first start to the end; None where the times cannot be read."""
    try:
        return (datetime.fromisoformat(run.finished_at) - datetime.fromisoformat(run.started_at)).total_seconds()
    except (ValueError, TypeError):
        return None
