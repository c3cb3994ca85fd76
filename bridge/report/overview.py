"""What every rendering of a report says first, and how it lines rows up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.report.language import Translate, counted, english
from bridge.report.schema import Report, ResultRow, RunInfo, Status


@dataclass(frozen=True)
class Line:
    """One metric of one dataset with one model, through every backend that has it."""

    dataset: str
    metric: str
    """Where backends call their primary metric differently, all the names."""
    primary: bool
    cells: dict[str, ResultRow]
    """By backend."""


def headline(report: Report, _: Translate = english) -> str:
    """One sentence: what can be believed, and what is missing."""
    rows = primary_rows(report)
    scored, lost = sum(row.n for row in rows), sum(row.n_errors for row in rows)
    if report.status is Status.FAILED:
        none = _("no dataset has a score")
        return f"{none}; {_('{samples} not scored').format(samples=counted(lost, 'sample', _))}" if lost else none
    results = counted(len(rows), "result", _)
    if report.status is Status.COMPLETE:
        return _("{results} over {samples}").format(results=results, samples=counted(scored, "scored sample", _))
    broken = sum(row.status is not Status.COMPLETE for row in rows)
    what = _("{n} of {results} not complete").format(n=broken, results=results) if broken else _("there were errors")
    samples = counted(scored + lost, "sample", _)
    text = _("{n:,} of {samples} without an answer or a score, and in no value").format(n=lost, samples=samples)
    return f"{what}; {text}" if lost else what


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
