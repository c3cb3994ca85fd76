"""The job's folder → rows of the report, and a record per sample."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from bridge.adapters.asking.options import read_options
from bridge.adapters.asking.results import SAMPLES, broken_off, job_errors, null_row, settings_of, template
from bridge.adapters.toolbench import collect_eval, collect_static
from bridge.adapters.toolbench.settings import BACKEND, MAX_TOKENS, PASS_RATE, STATIC, WIN_RATE, ToolOptions
from bridge.adapters.toolbench.translate import kind_of
from bridge.backend import BenchmarkResult, Outcome, Task
from bridge.spec import DatasetSpec, JsonObject


def result(outcome: Outcome, task: Task, dataset: DatasetSpec) -> BenchmarkResult:
    """Judges the job by what it left, whatever became of it."""
    options = read_options(task.spec, BACKEND, ToolOptions)
    shared = template(outcome, BACKEND, dataset, _settings(task, dataset, options))
    errors = job_errors(outcome, BACKEND, dataset)
    samples = _samples(outcome)
    kind = kind_of(dataset)
    if not samples:
        main = {STATIC: collect_static.F1, PASS_RATE: collect_eval.PASS}.get(kind, collect_eval.WIN)
        row = null_row(shared, replace(main, primary=True), broken_off(outcome))
        return BenchmarkResult(dataset.id, (row,), errors=errors)
    if kind == STATIC:
        rows, records = collect_static.collect(outcome, shared, samples, options)
    else:
        rows, records = collect_eval.collect(outcome, shared, samples, options, kind)
    return BenchmarkResult(dataset.id, rows, records, errors)


def _samples(outcome: Outcome) -> list[JsonObject]:
    """A line for every sample, in order; empty where nothing was begun."""
    path = outcome.dir / SAMPLES
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.is_file() else []


def _settings(task: Task, dataset: DatasetSpec, options: ToolOptions) -> dict[str, Any]:
    settings = settings_of(task, dataset)
    if kind_of(dataset) == STATIC:
        settings["generation"] = {"max_tokens": MAX_TOKENS, **settings["generation"]}
        return settings | {"style": options.style, "compat": options.compat}
    judge = task.spec.judge.name if task.spec.judge else None
    reference = Path(options.reference).name if options.reference and kind_of(dataset) == WIN_RATE else None
    return {"limit": settings["limit"], "judge": {"model": judge, **options.judge.model_dump()}, "reference": reference}
