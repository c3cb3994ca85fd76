"""The job's folder → rows of the report, and a record per sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bridge.adapters.asking.options import read_options
from bridge.adapters.asking.results import job_errors, nothing_begun, read_samples, settings_of, template
from bridge.adapters.toolbench import collect_eval, collect_static
from bridge.adapters.toolbench.names import BACKEND, PASS_RATE, STATIC, WIN_RATE
from bridge.adapters.toolbench.settings import MAX_TOKENS, ToolOptions
from bridge.adapters.toolbench.translate import kind_of
from bridge.backend import BenchmarkResult, Outcome, Task
from bridge.spec import DatasetSpec

PRIMARY = {STATIC: collect_static.F1, PASS_RATE: collect_eval.PASS, WIN_RATE: collect_eval.WIN}


def result(outcome: Outcome, task: Task, dataset: DatasetSpec) -> BenchmarkResult:
    """Judges the job by what it left, whatever became of it."""
    options = read_options(task.spec, BACKEND, ToolOptions)
    shared = template(outcome, BACKEND, dataset, _settings(task, dataset, options))
    samples, kind = read_samples(outcome), kind_of(dataset)
    if not samples:
        return nothing_begun(outcome, shared, PRIMARY[kind])
    if kind == STATIC:
        rows, records = collect_static.collect(outcome, shared, samples, options)
    else:
        rows, records = collect_eval.collect(outcome, shared, samples, options, kind)
    return BenchmarkResult(dataset.id, rows, records, job_errors(outcome, shared))


def _settings(task: Task, dataset: DatasetSpec, options: ToolOptions) -> dict[str, Any]:
    settings = settings_of(task, dataset)
    if kind_of(dataset) == STATIC:
        settings["generation"] = {"max_tokens": MAX_TOKENS, **settings["generation"]}
        return settings | {"style": options.style, "compat": options.compat}
    judge = task.spec.judge.name if task.spec.judge else None
    reference = Path(options.reference).name if options.reference and kind_of(dataset) == WIN_RATE else None
    return {"limit": settings["limit"], "judge": {"model": judge, **options.judge.model_dump()}, "reference": reference}
