"""The job's folder → rows of the report, a record per sample, and everything that VLMEvalKit would have kept silent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from bridge.adapters.asking.options import read_options
from bridge.adapters.asking.results import Records, job_errors, settings_of, warning
from bridge.adapters.vlmevalkit.catalogue import version
from bridge.adapters.vlmevalkit.families import family_of
from bridge.adapters.vlmevalkit.lines import RESULT, Left, Line, read
from bridge.adapters.vlmevalkit.options import BACKEND, KitOptions
from bridge.adapters.vlmevalkit.rows import Scores, differences, rows_of, units_of
from bridge.adapters.vlmevalkit.translate import JOB, described, entry_of, env_of
from bridge.backend import BenchmarkResult, Outcome, Task
from bridge.report.schema import ErrorKind, ReportError, ResultRow, SampleRecord
from bridge.spec import DatasetSpec

UNREAD = {"Unknown", ""}
"""What a scorer puts for an answer that it could not read."""


def result(outcome: Outcome, task: Task, dataset: DatasetSpec) -> BenchmarkResult:
    """Judges the job by what it left, whatever became of it."""
    entry = entry_of(dataset)
    options = read_options(task.spec, BACKEND, KitOptions)
    scorer = options.scorer.get(dataset.id, "exact") if entry.name == "custom_vqa" else None
    left = _left(outcome, dataset)
    scores = Scores(left, family_of(entry, scorer), units_of(left, entry.circular))
    template = _template(outcome, task, dataset, left, scores)
    errors = [*_errors(outcome, dataset, scores), *_warnings(outcome, task, dataset, scores)]
    records = Records(lambda: _records(outcome, dataset, scores))
    return BenchmarkResult(dataset.id, tuple(rows_of(scores, template)), records, tuple(errors))


def _left(outcome: Outcome, dataset: DatasetSpec) -> Left:
    """What the dataset's process left; where it came to nothing, why."""
    folder = outcome.dir / _folder(outcome.dir, dataset)
    left = read(folder)
    if left is None:
        reason = outcome.reason or "the job ended before it came to this dataset"
        return Left(folder, {"error": f"not evaluated: {reason}", "repeats": []})
    if not left.result.get("repeats") and not left.error:
        reason = outcome.reason or "the job ended while it was evaluated"
        return Left(folder, {"error": f"not scored: {reason}", "repeats": []}, left.lines)
    return left


def _folder(job: Path, dataset: DatasetSpec) -> str:
    try:
        items = json.loads((job / JOB).read_bytes())["datasets"]
    except (OSError, ValueError, KeyError):
        return "datasets/none"
    return next((str(item["dir"]) for item in items if item["id"] == dataset.id), "datasets/none")


def _template(outcome: Outcome, task: Task, dataset: DatasetSpec, left: Left, scores: Scores) -> ResultRow:
    options = read_options(task.spec, BACKEND, KitOptions)
    source = left.result.get("source") or {}
    settings = settings_of(task, dataset) | described(task, dataset)
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
        source=f"{_from_run(outcome.dir / _folder(outcome.dir, dataset))}/{RESULT}",
    )


@cache
def _sha256(lock: Path | None) -> str | None:
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock else None


def _from_run(path: Path) -> str:
    """Relative to the run directory, which is where ``jobs`` is."""
    parts = path.parts
    at = len(parts) - 1 - parts[::-1].index("jobs") if "jobs" in parts else 0
    return str(Path(*parts[at:]))


def _errors(outcome: Outcome, dataset: DatasetSpec, scores: Scores) -> Iterator[ReportError]:
    """What went wrong with the dataset as a whole; samples without a score are counted in the rows."""
    left = scores.left
    yield from job_errors(outcome, BACKEND, dataset) if not left.lines else ()
    if left.error and outcome.exit_code == 0:
        silent = left.lines and all(line.error for line in left.lines)
        yield _error(outcome, dataset, ErrorKind.UNANSWERED if silent else ErrorKind.BACKEND, left.error, left)
    for message in differences(scores):
        yield _error(outcome, dataset, ErrorKind.OUTPUT, message, left)


def _error(outcome: Outcome, dataset: DatasetSpec, kind: ErrorKind, message: str, left: Left) -> ReportError:
    hint = f"see {_from_run(left.folder)}/log.txt"
    if kind is ErrorKind.UNANSWERED:
        hint = "run the same command again: only what is missing is asked"
    count = len(left.lines) if kind is ErrorKind.UNANSWERED else 1
    return ReportError(
        kind=kind,
        message=f"{dataset.id}: {message}",
        hint=hint,
        count=count,
        model=outcome.model,
        backend=BACKEND,
        dataset=dataset.id,
    )


def _warnings(outcome: Outcome, task: Task, dataset: DatasetSpec, scores: Scores) -> Iterator[ReportError]:
    lines = [line for line in scores.left.lines if not line.why_not]
    split = read_options(task.spec, BACKEND, KitOptions).split_thinking
    told = {
        "answers could not be read and are scored as wrong, as VLMEvalKit does": _unread(lines),
        "answers were cut off at the token limit": sum(line.finish_reason == "length" for line in lines),
        "answers hold </think>, and all of each was scored: set options.vlmevalkit.split_thinking": 0
        if split
        else sum("</think>" in line.response for line in lines),
        "open questions were scored by exact matching with two options, which finds too few right": sum(
            line.row.get("question_type") == "open" for line in lines
        ),
        "cells of the table (NA, None, null, …) are empty to VLMEvalKit: an option of that name is not shown": (
            (scores.left.result.get("source") or {}).get("read_as_missing", 0)
        ),
    }
    for message, count in told.items():
        if count:
            yield warning(outcome, BACKEND, dataset, f"{dataset.id}: {message}", count=count)


def _unread(lines: list[Line]) -> int:
    """Answers out of which the scorer read nothing."""
    return sum(_is_unread(line) for line in lines)


def _is_unread(line: Line) -> bool:
    if "extracted" in line.details:
        return str(line.details["extracted"]) in UNREAD
    return line.extracted is None and "exact_matching" in str(line.details.get("log", ""))


def _records(outcome: Outcome, dataset: DatasetSpec, scores: Scores) -> Iterator[SampleRecord]:
    """A record per sample; the rotations of a question are one."""
    raw = {(line.index, line.repeat): line.offset for line in scores.left.lines}
    if not raw:
        return
    with (scores.left.folder / "samples.jsonl").open("rb") as file:
        for unit in scores.units:
            read_in = []
            for line in unit:
                file.seek(line.offset)
                read_in.append(json.loads(file.readline()))
            yield _record(outcome, dataset, scores, unit, read_in)


def _record(
    outcome: Outcome, dataset: DatasetSpec, scores: Scores, unit: tuple[Line, ...], raw: list[dict[str, Any]]
) -> SampleRecord:
    line, first = unit[0], raw[0]
    return SampleRecord(
        model=outcome.model,
        dataset=dataset.id,
        subset=line.subset,
        sample_id=line.index,
        repeat=line.repeat,
        input=_shown(first.get("input") or [], scores.left.folder) or "",
        prompt_sha256=first.get("prompt_sha256"),
        target=line.row.get("answer"),
        response=first.get("response"),
        extracted=_extracted(line),
        scores=scores.of(unit),
        error=scores.why_not(unit),
        usage=_total(raw),
        latency_s=first.get("latency_s"),
        finish_reason=line.finish_reason,
        metadata=_metadata(unit, raw),
    )


def _shown(messages: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Images by their path in the run directory."""
    shown = json.loads(json.dumps(messages))
    for message in shown:
        for part in message["content"] if isinstance(message["content"], list) else ():
            for kind in ("image_url", "video_url"):
                if kind in part and not Path(part[kind]["url"]).is_absolute():
                    part[kind]["url"] = f"{_from_run(folder)}/{part[kind]['url']}"
    return list(shown)


def _extracted(line: Line) -> Any:
    if "extracted" in line.details:
        return None if str(line.details["extracted"]) in UNREAD else line.details["extracted"]
    return line.extracted if line.extracted is not None else line.details.get("res", line.details.get("eval_pred"))


def _total(raw: list[dict[str, Any]]) -> dict[str, int] | None:
    counts: dict[str, int] = {}
    for one in raw:
        for name, count in (one.get("usage") or {}).items():
            counts[name] = counts.get(name, 0) + count
    return counts or None


def _metadata(unit: tuple[Line, ...], raw: list[dict[str, Any]]) -> dict[str, Any]:
    line = unit[0]
    metadata = {"split": line.split, "category": line.category, "log": line.details.get("log")}
    if line.group != line.index and len(unit) == 1:
        metadata["group"] = line.group
    if len(unit) > 1:
        metadata["rotations"] = [
            {"index": one.index, "target": one.row.get("answer"), "response": told.get("response"),
             "extracted": one.extracted, "error": one.why_not}
            for one, told in zip(unit, raw, strict=True)
        ]  # fmt: skip
    return {name: value for name, value in metadata.items() if value is not None}
