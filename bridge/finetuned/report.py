"""A run's report → what the training has changed: values over steps, base against tuned, flips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bridge.errors import BridgeError
from bridge.finetuned.choose import Chosen
from bridge.finetuned.curves import curves_of
from bridge.finetuned.markdown import finetuned_markdown
from bridge.finetuned.page import finetuned_html
from bridge.finetuned.schema import Evaluated, Finetuned
from bridge.finetuned.spec import BASE
from bridge.report.compare import EVERY, Options, compare
from bridge.report.compare_schema import Comparison
from bridge.report.schema import Report, Status
from bridge.rundir import write_atomic


def finetuned(chosen: Chosen, runs: Sequence[tuple[Path, Report]], metric: str | None = None) -> Finetuned:
    """``runs`` hold all that was evaluated: one run with a model for each, or a run for each."""
    comparison, reasons = _comparison(chosen, runs, metric)
    complete = all(report.status is Status.COMPLETE for _, report in runs)
    return Finetuned(
        training=str(chosen.training.folder),
        base=str(chosen.base) if chosen.base else None,
        checkpoints=tuple(
            Evaluated(name=one.name, path=str(one.path), step=one.step, kind=one.kind) for one in chosen.checkpoints
        ),
        best=chosen.training.best,
        status=Status.COMPLETE if complete else next(r.status for _, r in runs if r.status is not Status.COMPLETE),
        notes=chosen.notes,
        curves=tuple(
            curves_of(
                {BASE: 0, **{one.name: one.step for one in chosen.checkpoints}},
                [row for _, report in runs for row in report.results],
            )
        ),
        comparison=comparison,
        not_compared=reasons,
    )


def write_finetuned(result: Finetuned, run: Path) -> None:
    """``finetuned.json``, ``.md`` and ``.html`` in the run's folder."""
    write_atomic(run / "finetuned.json", result.model_dump_json(indent=2))
    write_atomic(run / "finetuned.md", finetuned_markdown(result))
    write_atomic(run / "finetuned.html", finetuned_html(result))


def _comparison(
    chosen: Chosen, runs: Sequence[tuple[Path, Report]], metric: str | None
) -> tuple[Comparison | None, tuple[str, ...]]:
    if not chosen.compared:
        return None, ("the base was not evaluated (--no-base)",)
    where = {model.name: run for run, report in runs for model in report.models}
    sides = [f"{where[name]}:{name}" for name in (BASE, *(one.name for one in chosen.checkpoints)) if name in where]
    if len(sides) < 2 or BASE not in where:
        return None, ("there are not yet two models to compare",)
    try:
        return compare(sides, Options(metrics={EVERY: metric} if metric else {})), ()
    except BridgeError as error:
        return None, tuple(str(error).splitlines())
