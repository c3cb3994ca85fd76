"""The job, run as ``python -m bridge.adapters.longbench_write.inside job.json`` in its folder.

Three stages, each with a journal that a job started again goes on from: write, measure, judge. Every line carries the
hash of what it answers, so an answer can stand beside no other task than its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bridge.adapters.asking.answering import answered, is_done
from bridge.adapters.asking.journal import Journal, Key
from bridge.adapters.asking.judge import asked_anew, failure, judged, rounds_of
from bridge.adapters.asking.model import Model, NotAnswered
from bridge.adapters.asking.request import JUDGE, MODEL, digest, of_repeat
from bridge.adapters.asking.results import PROGRESS, SAMPLES
from bridge.adapters.asking.thinking import without_thinking
from bridge.adapters.asking.work import Progress, for_each, write_whole
from bridge.adapters.longbench_write.length import count_words, length_score
from bridge.adapters.longbench_write.quality import PROMPT, REQUEST, RESPONSE, fill, read_marks
from bridge.adapters.longbench_write.rows import DataError, WritingTask, read_tasks
from bridge.adapters.longbench_write.settings import ANSWERS, JUDGMENTS, LENGTHS, Judging, WriteJob
from bridge.spec import JsonObject


class Ask(NamedTuple):
    """One task, to be written for the ``repeat``-th time."""

    task: WritingTask
    repeat: int
    body: JsonObject
    """The request."""
    sha256: str
    """The request's hash."""

    @property
    def key(self) -> Key:
        return Key(self.task.id, self.repeat)


class Text(NamedTuple):
    """What was written, without the thinking in front of it."""

    ask: Ask
    text: str
    sha256: str


def main(job_file: str) -> None:
    job = WriteJob.model_validate_json(Path(job_file).read_bytes())
    try:
        asks = prepared(job)
        prompt = judge_prompt(job.judging)
    except DataError as error:
        raise SystemExit(str(error)) from None
    asyncio.run(run(job, asks, prompt))


def prepared(job: WriteJob) -> list[Ask]:
    """What is to be asked; written down first, so that whatever happens it is known what is missing."""
    tasks = read_tasks(Path(job.path), job.limit)
    asks = [ask_for(job, task, repeat) for task in tasks for repeat in range(job.repeats)]
    lines = [{**ask.task.to_json(), "repeat": ask.repeat, "request_sha256": ask.sha256} for ask in asks]
    write_whole(Path(SAMPLES), "".join(json.dumps(line) + "\n" for line in lines))
    return asks


def ask_for(job: WriteJob, task: WritingTask, repeat: int) -> Ask:
    messages = [{"role": "user", "content": task.prompt}]
    body = {"model": job.model, "messages": messages, **of_repeat(job.request, repeat)}
    return Ask(task, repeat, body, digest(body))


async def run(job: WriteJob, asks: Sequence[Ask], prompt: str) -> None:
    answers = Journal(Path(ANSWERS))
    async with Model.from_environment(MODEL) as model:
        written = await answered(
            asks, model, answers, dataset=job.dataset, concurrency=job.concurrency, text_of=lambda reply: reply.text
        )
    if "length" in job.stages:
        measure(job, written, answers)
    if job.judging is not None:
        async with Model.from_environment(JUDGE) as judge:
            await assess(job, job.judging, prompt, written, answers, judge)


def judge_prompt(judging: Judging | None) -> str:
    """The text of the prompt. Raises DataError where the user's own cannot be used."""
    path = Path(judging.prompt) if judging and judging.prompt else PROMPT
    try:
        prompt = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if missing := [place for place in (REQUEST, RESPONSE) if place not in prompt]:
        raise DataError(f"{path}: a judge prompt needs {' and '.join(missing)} where the texts are to stand")
    return prompt


def measure(job: WriteJob, written: Sequence[Ask], answers: Journal) -> None:
    """Stage ``length``: counts the words of every text."""
    lengths = Journal(Path(LENGTHS))
    progress = Progress(Path(PROGRESS), "length", job.dataset, done=0, total=len(written))
    for ask in written:
        text = text_of(ask, answers)
        if not is_done(lengths.get(ask.key), "text_sha256", text.sha256):
            words = count_words(text.text).total
            score = length_score(ask.task.required_words, words)
            lengths.add(ask.key, {"text_sha256": text.sha256, "written_words": words, "score": score})
        progress.step()


async def assess(
    job: WriteJob, judging: Judging, prompt: str, written: Sequence[Ask], answers: Journal, judge: Model
) -> None:
    """Stage ``quality``: asks the judge about every text that it has not judged yet."""
    judgments = Journal(Path(JUDGMENTS))

    async def one(ask: Ask) -> None:
        text = text_of(ask, answers)
        body = judge_request(judging, prompt, text)
        entry: JsonObject = {"request_sha256": digest(body), "text_sha256": text.sha256}
        earlier = judgments.get(ask.key)
        rounds = rounds_of(earlier) if earlier and earlier.get("request_sha256") == digest(body) else 0
        try:
            judgment = await judged(judge, asked_anew(body, rounds), read_marks, attempts=judging.attempts)
        except NotAnswered as error:
            judgments.add(ask.key, {**entry, **failure(error, rounds)})
            return
        entry |= {"marks": judgment.value, "judge_response": judgment.response, "attempts": judgment.attempts}
        judgments.add(ask.key, entry)

    def is_judged(ask: Ask) -> bool:
        request = digest(judge_request(judging, prompt, text_of(ask, answers)))
        return is_done(judgments.get(ask.key), "request_sha256", request)

    todo = [ask for ask in written if not is_judged(ask)]
    progress = Progress(Path(PROGRESS), "quality", job.dataset, done=len(written) - len(todo), total=len(written))
    await for_each(todo, one, concurrency=job.concurrency, progress=progress)


def judge_request(judging: Judging, prompt: str, text: Text) -> JsonObject:
    content = fill(prompt, text.ask.task.prompt, text.text)
    return {"model": judging.model, "messages": [{"role": "user", "content": content}], **judging.request}


def text_of(ask: Ask, answers: Journal) -> Text:
    entry = answers.get(ask.key)
    assert entry is not None, "only of texts that are written"
    text = without_thinking(entry["response"])
    return Text(ask, text, digest(text))


if __name__ == "__main__":
    main(sys.argv[1])
