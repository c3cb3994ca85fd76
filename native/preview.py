"""What would be sent, without sending it."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.backend import Preview, Task
from bridge.native.backend import dataset_jobs
from bridge.native.engine import body_of
from bridge.native.job import DatasetJob
from bridge.native.prompt import prompt_sha256
from bridge.native.questions import Question, questions_of
from bridge.native.readers import DataError


def preview(task: Task) -> Iterator[Preview]:
    """Each request of the task's datasets, made as the engine makes it. Raises DataError for data that is not there."""
    for job in dataset_jobs(task):
        questions = questions_of(job)
        for question in questions:
            yield _shown(question, _request(task.model.name, job, question))
        if questions.problems:
            raise DataError(questions.problems[0])


def _request(model: str, job: DatasetJob, question: Question) -> dict[str, object]:
    """Where likelihoods are scored: all texts of the sample, each of which is a request of its own."""
    if question.sample is None:
        return {}
    if job.scoring == "generation":
        return body_of(model, job, question)
    return {"model": model, "prompt": [text["prompt"] for text in question.prompts], "max_tokens": 1}


def _shown(question: Question, request: dict[str, object]) -> Preview:
    return Preview(
        sample_id=question.sample_id,
        subset=question.subset,
        request=request,
        prompt_sha256=prompt_sha256(question.prompts),
        target=None if question.sample is None else question.sample.target,
        problem=question.problem,
    )
