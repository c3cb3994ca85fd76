"""Judges a native job by the files it left: records → rows of the report, and what is missing."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge.backend import BenchmarkResult, Outcome, Task
from bridge.errors import OutputError
from bridge.native.backend import NAME, NativeBackend, num_fewshot_of, scoring_of, settings_of
from bridge.native.benchmark import Benchmark
from bridge.native.job import samples_file
from bridge.native.judge_jobs import grading_of, judge_settings, judging_of
from bridge.native.progress import DatasetState, read_state
from bridge.native.records import Failure, Record, SampleIndex
from bridge.native.repeats import Repeats
from bridge.native.wholes import Wholes
from bridge.report.aggregate import Average, MetricInfo, ScoredSample, aggregate
from bridge.report.schema import ErrorKind, ReportError, ResultRow, SampleRecord, Status
from bridge.spec import DatasetSpec

_GO_ON = "run the same command again: only what is missing is asked"
_JUDGE_AGAIN = f"{_GO_ON}; where a judge is not understood, raise judging.attempts or change its prompt"
_KINDS: dict[Failure, tuple[ErrorKind, str, str]] = {
    "data": (ErrorKind.BACKEND, "rows could not be read", "mend the file, then run the same command again"),
    "unanswered": (ErrorKind.UNANSWERED, "samples were not answered", _GO_ON),
    "judge": (ErrorKind.UNANSWERED, "answers were not judged", _JUDGE_AGAIN),
    "scoring": (ErrorKind.BACKEND, "answers could not be scored", "options.native.score_timeout_s may be too short"),
}


@dataclass(frozen=True)
class Samples:
    """The records as the report wants them: in the dataset's order, read anew each time."""

    path: Path
    index: SampleIndex

    def __iter__(self) -> Iterator[SampleRecord]:
        for record in self.index.records():
            if record is None:
                continue
            try:
                yield SampleRecord.model_validate(record)
            except ValidationError as error:
                raise OutputError(f"{self.path}: holds a record that is none: {error.errors()[0]['msg']}") from error


@dataclass
class _Counts:
    """What the records come to besides scores."""

    failures: dict[Failure, int] = field(default_factory=dict)
    first: dict[Failure, str] = field(default_factory=dict)
    missing: int = 0
    answered: int = 0
    doubts: dict[str, int] = field(default_factory=dict)
    """Answers that may not say what the model can do, by ``metadata.validity``."""
    ids: array[int] = field(default_factory=lambda: array("q"))

    def answer(self, record: Record) -> None:
        self.answered += 1
        if doubt := record["metadata"].get("validity"):
            self.doubts[doubt] = self.doubts.get(doubt, 0) + 1

    def fail(self, failure: Failure, error: str) -> None:
        self.failures[failure] = self.failures.get(failure, 0) + 1
        self.first.setdefault(failure, error)

    @property
    def doubled(self) -> int:
        """Samples whose id another one has."""
        parts = 1 + (len(self.ids) >> 16)
        # Part by part, so that a million of them need no more memory than sixty thousand.
        return len(self.ids) - sum(len({id_ for id_ in self.ids if id_ % parts == at}) for at in range(parts))


def collect_dataset(
    outcome: Outcome, task: Task, dataset: DatasetSpec, mark: Benchmark, average: Average
) -> BenchmarkResult:
    """What one dataset of the job came to, whatever became of the job."""
    status, why, states = read_state(outcome.dir)
    state = states.get(dataset.id, DatasetState())
    path = samples_file(outcome.dir, dataset.id)
    repeats = task.spec.repeats_of(dataset) * mark.orders
    total = state.total(1)
    index = SampleIndex(path, repeats, total)
    counts = _Counts()
    reason = why or _last_words(outcome) or "the job has not run"
    template = _template(outcome, task, dataset, mark, path)
    # What a judge says of an answer is not what the benchmark's own scorer would have read out of it.
    summary = mark.summary and judging_of(dataset, mark) is None and mark.summary()
    gathered = Wholes(summary, repeats, mark.categories) if summary else Repeats(repeats)
    metrics = grading_of(task, dataset, mark).metrics
    rows = aggregate(
        _scored(index, state, repeats, counts, f"not asked: {reason}", gathered, metrics[0].name),
        template=template,
        metrics=[
            MetricInfo(m.name, m.unit, m.min_value, m.max_value, m.higher_is_better, primary=m is metrics[0])
            for m in metrics
        ],
        categories=mark.categories,
        average=average,
    )
    rows = (*rows, *gathered.rows(template), *_validity(counts, template))
    unread = _unread(state, reason if status != "finished" else "")
    died = status in ("running", "failed") and outcome.stopped is None
    errors = [*_errors(state, counts, died, reason, unread)]
    tagged = [
        error.model_copy(update={"model": task.model.name, "backend": NAME, "dataset": dataset.id}) for error in errors
    ]
    return BenchmarkResult(dataset.id, tuple(_marked(row, unread) for row in rows), Samples(path, index), tuple(tagged))


def _last_words(outcome: Outcome) -> str:
    said = outcome.log_tail[-1] if outcome.log_tail and outcome.stopped is None else ""
    return ": ".join(filter(None, [outcome.reason, said]))


def _unread(state: DatasetState, reason: str) -> str:
    """Why nobody knows how many samples there should be; empty where it is known."""
    if state.problems:
        return state.problems[0]
    return "" if state.expected is not None else reason


def _marked(row: ResultRow, unread: str) -> ResultRow:
    """A row over data that was not read to its end is not complete."""
    if not unread:
        return row
    status = Status.FAILED if row.value is None else Status.PARTIAL
    reason = unread if not row.n + row.n_errors else "; ".join(filter(None, [f"data missing: {unread}", row.reason]))
    return row.model_copy(update={"status": status, "reason": reason})


def _scored(
    index: SampleIndex,
    state: DatasetState,
    repeats: int,
    counts: _Counts,
    not_asked: str,
    gathered: Repeats | Wholes,
    primary: str,
) -> Iterator[ScoredSample]:
    """Every sample that there should be, in order."""
    subsets = _subsets(state, repeats)
    for slot, record in enumerate(index.records()):
        expected = next(subsets, None)
        at, repeat = divmod(slot, repeats)
        if record is None:
            counts.missing += 1
            gathered.add(at, None, None)
            yield ScoredSample(f"#{at}", {}, not_asked, expected, repeat)
            continue
        subset, sample_id, error = record.get("subset"), str(record.get("sample_id")), record.get("error")
        if error is not None:
            counts.fail(record["metadata"].get("failure", "unanswered"), str(error))
        else:
            counts.answer(record)
        gathered.add(at, record, None if error is not None else record["scores"].get(primary))
        if not repeat:
            counts.ids.append(hash((subset, sample_id)))
        yield ScoredSample(sample_id, record.get("scores") or {}, error, subset, repeat)


def _validity(counts: _Counts, template: ResultRow) -> Iterator[ResultRow]:
    """How many answers were empty, cut off, or not understood; there is no row for what there was none of."""
    for doubt, count in sorted(counts.doubts.items()):
        about: dict[str, Any] = {"metric": f"answers_{doubt}", "value": float(count), "n": counts.answered}
        yield template.model_copy(update={**about, "unit": "count", "max_value": None, "higher_is_better": False})


def _subsets(state: DatasetState, repeats: int) -> Iterator[str | None]:
    """The subset of every place, as far as it is known."""
    for subset, count in state.expected or []:
        yield from itertools.repeat(subset, count * repeats)


def _errors(state: DatasetState, counts: _Counts, died: bool, reason: str, unread: str) -> Iterator[ReportError]:
    for problem in state.problems[:1]:
        hint = _KINDS["data"][2]
        yield ReportError(kind=ErrorKind.BACKEND, message=problem, hint=hint, count=len(state.problems))
    for failure, count in counts.failures.items():
        kind, what, hint = _KINDS[failure]
        yield ReportError(kind=kind, message=f"{what}; first: {counts.first[failure]}", hint=hint, count=count)
    if died:
        yield ReportError(kind=ErrorKind.BACKEND, message=f"the job died: {reason}", hint=_GO_ON)
    elif counts.missing or (unread and not state.problems):
        message = f"samples were not asked: {reason}"
        yield ReportError(kind=ErrorKind.UNANSWERED, message=message, hint=_GO_ON, count=max(1, counts.missing))
    for note in state.notes:
        yield ReportError(
            kind=ErrorKind.WARNING, message=note, hint="name the ones you want as 'subsets', or add files"
        )
    if doubled := counts.doubled:
        hint = "give each row of a subset an id of its own, so that runs can be compared sample by sample"
        yield ReportError(kind=ErrorKind.WARNING, message="ids are there more than once", hint=hint, count=doubled)


def _template(outcome: Outcome, task: Task, dataset: DatasetSpec, mark: Benchmark, path: Path) -> ResultRow:
    grading = grading_of(task, dataset, mark)
    settings = {
        "limit": task.spec.limit_of(dataset),
        "repeats": task.spec.repeats_of(dataset),
        "scorer": grading.name,
        **judge_settings(task, dataset, mark),
        **({"subsets": list(dataset.subsets)} if dataset.subsets else {}),
        **({"thinking": "keep"} if _keeps_thinking(task) else {}),
        **({"prompt": dataset.prompt.model_dump(exclude_defaults=True)} if dataset.prompt else {}),
        **_asked_with(task, dataset, mark),
    }
    return ResultRow(
        model=task.model.name,
        backend=NAME,
        backend_version=NativeBackend.env.version,
        dataset=dataset.id,
        split=dataset.split or mark.split,
        metric=grading.metrics[0].name,
        value=None,
        n=0,
        num_fewshot=num_fewshot_of(dataset, mark),
        settings=settings,
        source=_source(outcome.dir, path),
    )


def _asked_with(task: Task, dataset: DatasetSpec, mark: Benchmark) -> dict[str, Any]:
    """Where likelihoods are scored nothing is sampled."""
    return {"scoring": "loglikelihood"} if scoring_of(dataset) == "loglikelihood" else settings_of(task, dataset, mark)


def _keeps_thinking(task: Task) -> bool:
    return bool(task.spec.options.get(NAME, {}).get("thinking") == "keep")


def _source(folder: Path, path: Path) -> str:
    """The file of records, relative to the run directory."""
    parts = folder.parts
    below = parts[len(parts) - 1 - parts[::-1].index("jobs") :] if "jobs" in parts else (folder.name,)
    return Path(*below, path.relative_to(folder)).as_posix()
