"""Judges a job by the files it left; one result for each of its datasets, whatever became of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bridge.adapters.opencompass import layout
from bridge.adapters.opencompass.asked import Asked, asked
from bridge.adapters.opencompass.output import Unit, read_unit
from bridge.adapters.opencompass.samples import Samples, request_failure, response_of, rows
from bridge.adapters.opencompass.scores import alike, metrics_of
from bridge.adapters.opencompass.scores import rows as score_rows
from bridge.adapters.opencompass.suspect import suspects
from bridge.backend import BenchmarkResult, EnvSpec, Outcome, Task
from bridge.report.schema import ErrorKind, ReportError, ResultRow, Status

_AGAIN = "run the same command again: what was answered is not asked again"
_ANOTHER_JUDGE = "its words are in the records; another judge, or more of judge.generation.max_tokens, may do"
_BLIND = {f"GaokaoBenchEvaluator_{kind}" for kind in ("cloze", "correction", "subjective")}
_KINDS = {"backend": ErrorKind.BACKEND, "output": ErrorKind.OUTPUT, "stopped": ErrorKind.UNANSWERED}


def collect(outcome: Outcome, task: Task, env: EnvSpec) -> list[BenchmarkResult]:
    ledger = _json(outcome.dir / "ledger.json")
    return [_result(outcome, one, ledger, env) for one in asked(task)]


def _result(outcome: Outcome, one: Asked, ledger: dict[str, Any], env: EnvSpec) -> BenchmarkResult:
    told = [unit for unit in ledger.get("units", []) if unit["dataset"] == one.dataset.id]
    template = _template(outcome, one, told, env)
    problem = ledger.get("problems", {}).get(one.dataset.id) or ("" if told else _why(outcome))
    if problem:
        stopped = outcome.stopped is not None and not told and not ledger.get("problems", {}).get(one.dataset.id)
        kind = ErrorKind.UNANSWERED if stopped else ErrorKind.BACKEND
        row = template.model_copy(update={"primary": True, "status": Status.FAILED, "reason": problem})
        return BenchmarkResult(one.dataset.id, (row,), (), (_error(outcome, one, kind, problem),))
    read = partial(_units, outcome, told)
    units = alike(list(read()))
    metrics = metrics_of(units)
    samples = Samples(outcome.model, one.dataset.id, outcome.failed_marker, metrics.of_samples, read)
    made = tuple(score_rows(units, metrics, template, outcome.failed_marker))
    return BenchmarkResult(one.dataset.id, made, samples, tuple(_errors(outcome, one, units)))


def _units(outcome: Outcome, told: Sequence[dict[str, Any]]) -> Iterator[Unit]:
    for unit in told:
        yield read_unit(outcome.dir, unit, _why(outcome))


def _why(outcome: Outcome) -> str:
    """Why the job did not come to its end."""
    if outcome.reason and outcome.stopped is None and outcome.log_tail:
        return f"{outcome.reason}: {outcome.log_tail[-1].strip()}"
    return outcome.reason or "the job left no word about it"


def _errors(outcome: Outcome, one: Asked, units: Sequence[Unit]) -> Iterator[ReportError]:
    failures: dict[tuple[str, str], list[Unit]] = {}
    for unit in units:
        if unit.failure:
            failures.setdefault((unit.kind, unit.failure), []).append(unit)
    for (kind, failure), failed in failures.items():
        where = f"{failed[0].subset}: " if failed[0].subset else ""
        count = sum(max(1, unit.samples * unit.repeats) for unit in failed) if kind == "stopped" else len(failed)
        yield _error(outcome, one, _kind(outcome, kind), f"{where}{failure}", count)
    unanswered = [why for unit in units for why in _failed_requests(unit, outcome.failed_marker)]
    if unanswered:
        message = f"samples were not answered; first: {unanswered[0]}"
        yield _error(outcome, one, ErrorKind.UNANSWERED, message, len(unanswered))
    unjudged = [why for unit in units for why in _failed_verdicts(unit, outcome.failed_marker)]
    if unjudged:
        message = f"answers got no verdict of the judge; first: {unjudged[0]}"
        yield _error(outcome, one, ErrorKind.UNANSWERED, message, len(unjudged))
    unread = [why for unit in units for why in _unread_verdicts(unit, outcome.failed_marker)]
    if unread:
        message = f"answers got a judgement without a verdict; first: {unread[0]}"
        error = _error(outcome, one, ErrorKind.UNANSWERED, message, len(unread))
        yield error.model_copy(update={"hint": _ANOTHER_JUDGE})
    marker = outcome.failed_marker
    warnings = [
        *suspects(units, marker),
        *_left_out(one, units),
        *_without_details(units),
        *_not_scored(units),
        *_lopsided(units),
    ]
    for warning in warnings:
        yield _error(outcome, one, ErrorKind.WARNING, warning).model_copy(update={"hint": ""})


def _kind(outcome: Outcome, kind: str) -> ErrorKind:
    """A job that bridge stopped, or never started, is no failure of the framework; one that died by itself is."""
    died = outcome.stopped is None and outcome.started_at and (outcome.exit_code != 0)
    return ErrorKind.BACKEND if kind == "stopped" and died else _KINDS[kind]


def _failed_requests(unit: Unit, marker: str) -> Iterator[str]:
    for row in rows(unit, (), marker):
        response = response_of(unit, row.repeat * unit.samples + row.sample)
        if response is not None and (why := request_failure(response, marker)):
            yield why


def _failed_verdicts(unit: Unit, marker: str) -> Iterator[str]:
    """Of answers that there are."""
    for at, detail in enumerate(unit.details):
        if not request_failure(response_of(unit, at) or "", marker) and (why := request_failure(detail.judged, marker)):
            yield why


def _unread_verdicts(unit: Unit, marker: str) -> Iterator[str]:
    for detail in unit.details:
        if detail.unjudged and not request_failure(detail.judged, marker):
            yield detail.unjudged


def _left_out(one: Asked, units: Sequence[Unit]) -> Iterator[str]:
    """OpenCompass's loaders drop rows that do not fit their prompt."""
    for unit in units:
        source, rows_ = unit.told.get("source_rows"), unit.told.get("rows")
        if source is None or rows_ is None:
            continue
        wanted = min(source, one.limit or source)
        if unit.samples < wanted:
            where = f" of {unit.subset}" if unit.subset else ""
            yield f"OpenCompass leaves out {wanted - unit.samples} of {wanted} rows{where}: they do not fit its prompt"


def _without_details(units: Sequence[Unit]) -> Iterator[str]:
    if silent := [unit for unit in units if not unit.failure and not unit.details]:
        where = f" in {len(silent)} of {len(units)} subsets" if len(units) > 1 else ""
        yield f"OpenCompass's evaluator says nothing about single samples{where}: there are no scores of samples"


def _not_scored(units: Sequence[Unit]) -> Iterator[str]:
    """Evaluators that say 0 without looking."""
    blind = [unit for unit in units if str(unit.told.get("evaluator")) in _BLIND and not unit.failure]
    if blind:
        names = ", ".join(sorted({str(unit.told["evaluator"]) for unit in blind}))
        yield f"OpenCompass gives 0 in {len(blind)} of {len(units)} subsets, whatever the answers are ({names})"


def _lopsided(units: Sequence[Unit]) -> Iterator[str]:
    """Scores over all kinds of questions, with a limit for example."""
    for unit in units:
        if unit.scale is None or not unit.scale.kind or not unit.of_judged:
            continue
        golds = [detail.target for detail in unit.details if isinstance(detail.target, dict)]
        counts = Counter(str(gold.get(unit.scale.kind)) for gold in golds)
        if len(counts) < unit.scale.kinds or (unit.scale.alike and len(set(counts.values())) > 1):
            expected = f"{unit.scale.kinds} of them{', as many questions of each' if unit.scale.alike else ''}"
            there = ", ".join(f"{kind} ({count})" for kind, count in sorted(counts.items()))
            yield (
                f"OpenCompass's {unit.scale.quoted} is a mean over every {unit.scale.kind} it knows, {expected};"
                f" what is not there counts as 0. Here are {there}"
            )


def _error(outcome: Outcome, one: Asked, kind: ErrorKind, message: str, count: int = 1) -> ReportError:
    hint = _AGAIN if kind is ErrorKind.UNANSWERED else f"the job's log: {_relative(outcome.dir)}/log.txt"
    return ReportError(
        kind=kind,
        message=message,
        hint=hint,
        count=count,
        model=outcome.model,
        backend=outcome.backend,
        dataset=one.dataset.id,
    )


def _template(outcome: Outcome, one: Asked, told: Sequence[dict[str, Any]], env: EnvSpec) -> ResultRow:
    lock = hashlib.sha256(env.lock.read_bytes()).hexdigest() if env.lock else None
    return ResultRow(
        model=outcome.model,
        backend=outcome.backend,
        backend_version=env.version,
        env_lock_sha256=lock,
        dataset=one.dataset.id,
        split=layout.scored_split(one.chosen, one.dataset.split) or _only(told, "split"),
        metric="accuracy",
        value=None,
        n=0,
        num_fewshot=_shots(one),
        settings=_settings(one, told),
        source=_relative(outcome.dir),
    )


def _settings(one: Asked, told: Sequence[dict[str, Any]]) -> dict[str, Any]:
    generation = one.generation.model_dump(exclude_none=True, exclude_defaults=True) | {
        "temperature": one.generation.temperature
    }
    found = {
        "config": ", ".join(config.module for config in one.configs()) or one.chosen.name,
        "template": "chat turns",
        "max_out_len": _only(told, "max_out_len"),
        "evaluator": _only(told, "evaluator"),
        "postprocessor": _only(told, "postprocessor"),
        "limit": one.limit,
        "repeats": one.repeats,
        "subsets": list(one.dataset.subsets),
        "generation": generation,
        "options": dict(one.task.spec.options.get("opencompass", {})),
    }
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def _shots(one: Asked) -> int | None:
    return one.dataset.num_fewshot if one.dataset.num_fewshot is not None else one.chosen.info.num_fewshot


def _only(told: Sequence[dict[str, Any]], field: str) -> Any:
    """What all units say, as a list where they differ."""
    values = list(dict.fromkeys(unit.get(field) for unit in told if unit.get(field) is not None))
    return values[0] if len(values) == 1 else values or None


def _json(path: Path) -> dict[str, Any]:
    """An empty object where there is none that can be read: the job says nothing then."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _relative(folder: Path) -> str:
    """The job's folder as seen from the run directory."""
    parts = folder.parts
    below = parts[len(parts) - 1 - parts[::-1].index("jobs") :] if "jobs" in parts else (folder.name,)
    return Path(*below).as_posix()
