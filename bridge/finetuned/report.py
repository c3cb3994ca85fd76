"""A run's report → what the training has changed: values over steps, base against tuned, flips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bridge.errors import SpecError
from bridge.finetuned.choose import Chosen
from bridge.finetuned.markdown import finetuned_markdown
from bridge.finetuned.page import finetuned_html
from bridge.finetuned.schema import Curve, Evaluated, Finetuned, Point
from bridge.finetuned.spec import BASE
from bridge.report.compare import Options, compare
from bridge.report.compare_schema import Comparison
from bridge.report.schema import Report, ResultRow
from bridge.rundir import write_atomic


def finetuned(chosen: Chosen, report: Report, run: Path) -> Finetuned:
    comparison, reasons = _comparison(chosen, run)
    return Finetuned(
        training=str(chosen.training.folder),
        base=str(chosen.base) if chosen.base else None,
        checkpoints=tuple(
            Evaluated(name=one.name, path=str(one.path), step=one.step, kind=one.kind) for one in chosen.checkpoints
        ),
        best=chosen.training.best,
        status=report.status,
        notes=chosen.notes,
        curves=tuple(_curves(chosen, report)),
        comparison=comparison,
        not_compared=reasons,
    )


def write_finetuned(result: Finetuned, run: Path) -> None:
    """``finetuned.json``, ``.md`` and ``.html`` in the run's folder."""
    write_atomic(run / "finetuned.json", result.model_dump_json(indent=2))
    write_atomic(run / "finetuned.md", finetuned_markdown(result))
    write_atomic(run / "finetuned.html", finetuned_html(result))


def _comparison(chosen: Chosen, run: Path) -> tuple[Comparison | None, tuple[str, ...]]:
    if not chosen.compared:
        return None, ("the base was not evaluated (--no-base)",)
    try:
        return compare([f"{run}:{name}" for name in (BASE, *(one.name for one in chosen.checkpoints))], Options()), ()
    except SpecError as error:
        return None, tuple(problem.message for problem in error.problems)


def _curves(chosen: Chosen, report: Report) -> Sequence[Curve]:
    steps = {BASE: 0, **{one.name: one.step for one in chosen.checkpoints}}
    grouped: dict[tuple[str, str], list[ResultRow]] = {}
    for row in report.results:
        if row.primary and row.model in steps:
            grouped.setdefault((row.dataset, row.backend), []).append(row)
    return [_curve(rows, steps) for rows in grouped.values()]


def _curve(rows: Sequence[ResultRow], steps: dict[str, int]) -> Curve:
    first = rows[0]
    points = [
        Point(
            model=row.model,
            step=steps[row.model],
            value=row.value,
            ci95=row.ci95,
            n=row.n,
            n_errors=row.n_errors,
            reason=row.reason,
        )
        for row in sorted(rows, key=lambda row: steps[row.model])
    ]
    return Curve(
        dataset=first.dataset,
        backend=first.backend,
        metric=first.metric,
        unit=first.unit,
        higher_is_better=first.higher_is_better,
        points=tuple(points),
    )
