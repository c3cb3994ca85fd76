"""What would be sent, without sending it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bridge.backend import Preview, Task
from bridge.native.backend import dataset_jobs
from bridge.native.benchmark import Message, Sample
from bridge.native.engine import body_of
from bridge.native.job import DatasetJob
from bridge.native.judging import asks_of, judging_from
from bridge.native.prompt import prompt_sha256
from bridge.native.questions import Question, questions_of
from bridge.native.readers import DataError

ANSWER = "(the model's answer)"
"""Stands for what is not known yet."""


def preview(task: Task) -> Iterator[Preview]:
    """Each request of the task's datasets, made as the engine makes it. Raises DataError for data that is not there."""
    for job in dataset_jobs(task):
        questions = questions_of(job)
        for question in questions:
            yield _shown(job, question, _request(task.model.name, job, question))
        if questions.problems:
            raise DataError(questions.problems[0])


def _request(model: str, job: DatasetJob, question: Question) -> dict[str, object]:
    """Where likelihoods are scored: all texts of the sample, each of which is a request of its own."""
    if question.sample is None:
        return {}
    if job.scoring == "generation":
        return body_of(model, job, question)
    return {"model": model, "prompt": [text["prompt"] for text in question.prompts], "max_tokens": 1}


def _shown(job: DatasetJob, question: Question, request: dict[str, object]) -> Preview:
    return Preview(
        sample_id=question.sample_id,
        subset=question.subset,
        request=request,
        prompt_sha256=prompt_sha256(question.prompts),
        target=None if question.sample is None else question.sample.target,
        problem=question.problem,
        to_judge=() if job.judging is None or question.sample is None else _to_judge(job.judging, question.sample),
    )


def _to_judge(judging: dict[str, Any], sample: Sample) -> tuple[list[Message], ...]:
    """Raises DataError where the judge's prompt names what the sample has not."""
    try:
        return tuple(ask.messages for ask in asks_of(judging_from(judging), sample, ANSWER))
    except KeyError as error:
        raise DataError(f"the judge's prompt names {error}; there are: {', '.join(sample.fields)}") from None
