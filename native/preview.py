"""What would be sent, without sending it."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.backend import Preview, Task
from bridge.native.backend import dataset_jobs
from bridge.native.engine import body_of
from bridge.native.prompt import prompt_sha256
from bridge.native.questions import Question, questions_of
from bridge.native.readers import DataError


def preview(task: Task) -> Iterator[Preview]:
    """Each request of the task's datasets, made as the engine makes it. Raises DataError for data that is not there."""
    for job in dataset_jobs(task):
        questions = questions_of(job)
        for question in questions:
            request = {} if question.sample is None else body_of(task.model.name, job, question)
            yield _shown(question, request)
        if questions.problems:
            raise DataError(questions.problems[0])


def _shown(question: Question, request: dict[str, object]) -> Preview:
    return Preview(
        sample_id=question.sample_id,
        subset=question.subset,
        request=request,
        prompt_sha256=prompt_sha256(question.messages),
        target=None if question.sample is None else question.sample.target,
        problem=question.problem,
    )
