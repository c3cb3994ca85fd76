"""The job's folder → rows of the report, and a record per text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.adapters.asking.options import read_options
from bridge.adapters.asking.request import prompt_sha256
from bridge.adapters.asking.results import (
    Records,
    job_errors,
    nothing_begun,
    null_row,
    read_samples,
    rows_of,
    settings_of,
    template,
    warning,
    why_unfinished,
)
from bridge.adapters.longbench_write.folder import Folder, Text
from bridge.adapters.longbench_write.length import BUCKETS, bucket_of
from bridge.adapters.longbench_write.names import BACKEND
from bridge.adapters.longbench_write.scores import LENGTH, OVERALL, QUALITY, Part, metrics_of, score
from bridge.adapters.longbench_write.settings import MAX_TOKENS, WriteOptions
from bridge.adapters.longbench_write.translate import stages_of
from bridge.backend import BenchmarkResult, Outcome, Task
from bridge.report.aggregate import MetricInfo, ScoredSample
from bridge.report.schema import ReportError, ResultRow, SampleRecord
from bridge.spec import DatasetSpec, JsonObject

NO_JUDGE = "the spec names no judge, so nothing was judged"


@dataclass(frozen=True, slots=True)
class Scored:
    """One text's scores, without the text."""

    task: JsonObject
    repeat: int
    parts: dict[str, Part]

    def of(self, metric: MetricInfo) -> ScoredSample:
        part = self.parts[metric.name]
        if isinstance(part, str):
            return ScoredSample(self.task["id"], {}, part, None, self.repeat)
        return ScoredSample(self.task["id"], {metric.name: part}, None, None, self.repeat)


def result(outcome: Outcome, task: Task, dataset: DatasetSpec) -> BenchmarkResult:
    """Judges the job by what it left, whatever became of it."""
    folder = Folder(outcome.dir, read_samples(outcome))
    stages = stages_of(task.spec, read_options(task.spec, BACKEND, WriteOptions))
    shared = template(outcome, BACKEND, dataset, _settings(task, dataset, stages))
    if not folder.tasks:
        return nothing_begun(outcome, shared, metrics_of(stages)[0])
    unfinished = why_unfinished(outcome)
    scored = [Scored(text.task, text.key.repeat, score(text, stages, unfinished)) for text in folder.texts()]
    rows = [*_overall(scored, stages, shared), *_in_groups(scored, stages, shared)]
    if task.spec.judge is None:
        rows += [null_row(shared, metric, NO_JUDGE) for metric in (QUALITY, OVERALL)]
    records = Records(lambda: (_record(text, outcome, dataset, stages) for text in folder.texts()))
    errors = (*job_errors(outcome, shared), *_cut_off(folder, shared))
    return BenchmarkResult(dataset.id, tuple(rows), records, errors)


def _settings(task: Task, dataset: DatasetSpec, stages: Sequence[str]) -> dict[str, Any]:
    options = read_options(task.spec, BACKEND, WriteOptions)
    settings = settings_of(task, dataset)
    settings["generation"] = {"max_tokens": MAX_TOKENS, **settings["generation"]}
    settings["stages"] = list(stages)
    settings["scatter"] = {"x": "required_words", "y": "written_words"}
    if "quality" in stages and task.spec.judge is not None:
        prompt = Path(options.judge_prompt).name if options.judge_prompt else "bridge's own"
        settings["judge"] = {"model": task.spec.judge.name, "prompt": prompt, **options.judge.model_dump()}
    return settings


def _overall(scored: Sequence[Scored], stages: Sequence[str], shared: ResultRow) -> Iterator[ResultRow]:
    metrics = metrics_of(stages)
    for metric in metrics:
        about = (text.of(metric) for text in scored)
        yield from rows_of(about, template=shared, metric=metric, primary=metric is metrics[0])


def _in_groups(scored: Sequence[Scored], stages: Sequence[str], shared: ResultRow) -> Iterator[ResultRow]:
    metrics = [metric for metric in metrics_of(stages) if metric in (OVERALL, LENGTH, QUALITY)]
    for category, belongs in _groups([text.task for text in scored]):
        for metric in metrics:
            about = (text.of(metric) for text in scored if belongs(text.task))
            for row in rows_of(about, template=shared, metric=metric):
                yield row.model_copy(update={"category": category})


def _groups(tasks: Sequence[JsonObject]) -> Iterator[tuple[str, Callable[[JsonObject], bool]]]:
    """By required length, by type and by language; only what there is."""
    yield from _by("length", tasks, lambda task: bucket_of(task["required_words"]), BUCKETS)
    yield from _by("type", tasks, lambda task: str(task["type"]), dict.fromkeys(task["type"] for task in tasks))
    yield from _by("language", tasks, lambda task: str(task["language"]), ("en", "zh"))


def _by(
    name: str, tasks: Sequence[JsonObject], group_of: Callable[[JsonObject], str], order: Iterable[str]
) -> Iterator[tuple[str, Callable[[JsonObject], bool]]]:
    there = {group_of(task) for task in tasks}
    for group in (group for group in order if group in there):
        yield f"{name} {group}", _is(group_of, group)


def _is(group_of: Callable[[JsonObject], str], group: str) -> Callable[[JsonObject], bool]:
    return lambda task: group_of(task) == group


def _record(text: Text, outcome: Outcome, dataset: DatasetSpec, stages: Sequence[str]) -> SampleRecord:
    parts = score(text, stages, why_unfinished(outcome))
    task, answer, judgment = text.task, text.answer, text.judgment
    messages = [{"role": "user", "content": task["prompt"]}]
    return SampleRecord(
        model=outcome.model,
        dataset=dataset.id,
        sample_id=text.key.sample_id,
        repeat=text.key.repeat,
        input=messages,
        prompt_sha256=prompt_sha256(messages),
        target={"words": task["required_words"]},
        response=answer.get("response"),
        extracted=text.length.get("written_words"),
        scores={name: part for name, part in parts.items() if not isinstance(part, str)},
        error=next((part for part in parts.values() if isinstance(part, str)), None),
        usage=answer.get("usage"),
        latency_s=answer.get("latency_s"),
        finish_reason=answer.get("finish_reason"),
        metadata={
            "required_words": task["required_words"],
            "written_words": text.length.get("written_words"),
            "length_bucket": bucket_of(task["required_words"]),
            "type": task["type"],
            "language": task["language"],
            "marks": judgment.get("marks"),
            "judge_response": judgment.get("judge_response"),
            "judge_attempts": judgment.get("attempts"),
        },
    )


def _cut_off(folder: Folder, shared: ResultRow) -> Iterator[ReportError]:
    """A text that the token limit has cut says little about how long the model can write."""
    cut = sum(text.answer.get("finish_reason") == "length" for text in folder.texts())
    if cut:
        limit = shared.settings["generation"]["max_tokens"]
        yield warning(shared, f"{cut} of {len(folder.tasks)} texts were cut off at max_tokens ({limit})", count=cut)
