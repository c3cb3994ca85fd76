"""The job's folder → rows of the report, a record per sample, and everything that VLMEvalKit would have kept silent."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from bridge.adapters.asking.options import read_options
from bridge.adapters.vlmevalkit import told
from bridge.adapters.vlmevalkit.catalogue import version
from bridge.adapters.vlmevalkit.families import family_of
from bridge.adapters.vlmevalkit.lines import RESULT, Left, read
from bridge.adapters.vlmevalkit.names import BACKEND
from bridge.adapters.vlmevalkit.options import KitOptions
from bridge.adapters.vlmevalkit.records import Records, from_run
from bridge.adapters.vlmevalkit.rows import Scores, explained, rows_of, units_of
from bridge.adapters.vlmevalkit.translate import JOB, described, entry_of, env_of
from bridge.backend import BenchmarkResult, Outcome, Task
from bridge.report.schema import ResultRow
from bridge.spec import DatasetSpec


def result(outcome: Outcome, task: Task, dataset: DatasetSpec) -> BenchmarkResult:
    """Judges the job by what it left, whatever became of it."""
    entry = entry_of(dataset)
    options = read_options(task.spec, BACKEND, KitOptions)
    scorer = options.scorer.get(dataset.id, "exact") if entry.name == "custom_vqa" else None
    left = _left(outcome, dataset)
    scores = explained(Scores(left, family_of(entry, scorer), units_of(left, entry.circular and not entry.parts)))
    template = _template(outcome, task, dataset, left, scores)
    errors = (*told.errors(outcome, template, scores), *told.warnings(template, scores, options.split_thinking))
    records = Records(outcome.model, dataset.id, scores)
    return BenchmarkResult(dataset.id, tuple(rows_of(scores, template)), records, errors)


def _left(outcome: Outcome, dataset: DatasetSpec) -> Left:
    """What the dataset's process left; where it came to nothing, why."""
    folder = outcome.dir / _folder(outcome.dir, dataset)
    left = read(folder)
    if left is None:
        return Left(folder, {"error": f"not evaluated: {_why_not(outcome)}", "repeats": []})
    if not left.result.get("repeats") and not left.error:
        return Left(folder, {"error": f"not scored: {_why_not(outcome)}", "repeats": []}, left.lines)
    return left


def _folder(job: Path, dataset: DatasetSpec) -> str:
    try:
        items = json.loads((job / JOB).read_bytes())["datasets"]
    except (OSError, ValueError, KeyError, TypeError):
        return "datasets/none"
    return next((str(item["dir"]) for item in items if item["id"] == dataset.id), "datasets/none")


def _template(outcome: Outcome, task: Task, dataset: DatasetSpec, left: Left, scores: Scores) -> ResultRow:
    options = read_options(task.spec, BACKEND, KitOptions)
    source = left.result.get("source") or {}
    settings = _settings(task, dataset)
    settings |= {
        "family": scores.family.name,
        "tables": {Path(path).name: checksum for path, checksum in source.get("tables", {}).items()} or None,
        "official_data": source.get("official"),
    }
    return ResultRow(
        model=outcome.model,
        backend=BACKEND,
        backend_version=str(left.result.get("vlmevalkit") or version()),
        env_lock_sha256=_sha256(env_of(dataset, options).lock),
        dataset=dataset.id,
        split=dataset.split,
        metric="",
        value=None,
        n=0,
        settings={name: value for name, value in settings.items() if value is not None},
        source=f"{from_run(outcome.dir / _folder(outcome.dir, dataset))}/{RESULT}",
    )


def _why_not(outcome: Outcome) -> str:
    """Why a job left nothing of a dataset: its last line, which of a failed import is the error."""
    last = next((line.strip() for line in reversed(outcome.log_tail) if line.strip()), "")
    if outcome.exit_code in (0, None):
        return outcome.reason or "the job ended before it was done"
    return f"{last} ({outcome.reason})" if last else outcome.reason


def _settings(task: Task, dataset: DatasetSpec) -> dict[str, Any]:
    """What changes the score: how many samples, how they are answered, how they are scored."""
    generation, repeats = task.generation(dataset), task.spec.repeats_of(dataset)
    return {
        "limit": task.spec.limit_of(dataset),
        "repeats": repeats if repeats > 1 else None,
        "generation": generation.model_dump(exclude_defaults=True) | {"temperature": generation.temperature},
        **described(task, dataset),
    }


@cache
def _sha256(lock: Path | None) -> str | None:
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock else None
