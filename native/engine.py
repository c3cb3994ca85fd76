"""Asks, scores and records: a window of requests over rows that are read as they are needed.

Each worker takes the next question, asks it, and writes its record; it scores at once what takes microseconds and
hands the rest to the scoring processes. So no request waits for a scorer or for another request, and memory holds the
window, whatever the size of the dataset.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bridge.endpoint.answer import Answer, EndpointDown, RequestFailed
from bridge.endpoint.client import Client
from bridge.native.answer import Parted, without_thinking
from bridge.native.benchmark import Sample, Verdict
from bridge.native.images import shown
from bridge.native.job import DatasetJob, NativeJob
from bridge.native.judging import Judging
from bridge.native.likelihood import COMPLETIONS, log_likelihoods
from bridge.native.panel import NotJudged, Panel
from bridge.native.progress import Ledger
from bridge.native.prompt import prompt_sha256
from bridge.native.questions import Question, Questions
from bridge.native.records import Failure, Record, SampleWriter, is_good
from bridge.native.scorers.pool import ScorerPool, ScoringFailed

T = TypeVar("T")
CHAT = "/chat/completions"
_POLL_S = 0.02
_BREATH = 200
"""Questions that are passed over before other tasks get their turn."""
_WAITING_SCORES = 4
"""Answers that may wait for a scorer, in multiples of the window."""


@dataclass(frozen=True)
class OpenDataset:
    """A dataset that is being evaluated."""

    dataset: DatasetJob
    questions: Questions
    writer: SampleWriter
    judging: Judging | None = None


class Engine:
    """Evaluates the datasets of one job, one after the other, without a gap between them."""

    def __init__(
        self,
        job: NativeJob,
        datasets: list[OpenDataset],
        client: Client,
        pool: ScorerPool,
        panel: Panel,
        ledger: Ledger,
    ) -> None:
        self._job = job
        self._datasets = datasets
        self._client = client
        self._pool = pool
        self._panel = panel
        self._ledger = ledger
        # A request that waits for its retry, or an answer on its way to disk, leaves its place to another.
        self._window = job.concurrency + max(2, job.concurrency // 2)
        self._unscored = asyncio.Semaphore(self._window * _WAITING_SCORES)
        self._scoring = asyncio.TaskGroup()

    async def run(self) -> None:
        """Returns when every question has a record. Raises what makes it pointless to go on, such as a full disk."""
        stream = self._stream()
        try:
            async with self._scoring, asyncio.TaskGroup() as group:
                counting = group.create_task(self._count())
                workers = [group.create_task(self._work(stream)) for _ in range(self._window)]
                await asyncio.wait(workers)
                counting.cancel()
        except BaseExceptionGroup as several:
            raise _first(several) from None

    async def _count(self) -> None:
        """Finds out how much there is to do, aside."""
        for one in self._datasets:
            expected = await _in_thread(one.questions.expected)
            state = self._ledger.datasets[one.dataset.id]
            if not state.read_all and expected is not None:
                state.expected = list(expected.items())
        self._ledger.close("running")

    def _stream(self) -> Iterator[tuple[OpenDataset, Question] | None]:
        """Every question that has no good record; now and then None, where many have one."""
        for one in self._datasets:
            state = self._ledger.datasets[one.dataset.id]
            for at, question in enumerate(one.questions):
                if not one.writer.is_done(question.index, question.repeat):
                    yield one, question
                else:
                    state.done += 1
                if at % _BREATH == 0:
                    yield None
            state.expected, state.read_all = list(one.questions.counts.items()), True
            state.problems += one.questions.problems

    async def _work(self, stream: Iterator[tuple[OpenDataset, Question] | None]) -> None:
        for item in stream:
            if item is None or self._down:
                await asyncio.sleep(0)
            if item is not None:
                await self._evaluate(*item)

    async def _evaluate(self, one: OpenDataset, question: Question) -> None:
        if question.sample is None:
            self._write_failed(one, question, "data", question.problem)
            return
        if self._down:
            self._write_failed(one, question, "unanswered", f"not asked: {self._down}")
            return
        try:
            answer = await self._ask(one.dataset, question, question.sample)
        except RequestFailed as failure:
            tries = f"{failure.tries} {'try' if failure.tries == 1 else 'tries'}"
            self._write_failed(one, question, "unanswered", f"not answered ({failure.kind}, {tries}): {failure}")
        except EndpointDown as down:
            self._write_failed(one, question, "unanswered", f"not answered: {down}")
        else:
            await self._score(one, question, question.sample, answer)

    async def _ask(self, dataset: DatasetJob, question: Question, sample: Sample) -> Answer:
        job, repeat = self._job.traffic, question.repeat
        if dataset.scoring == "generation":
            return await self._client.ask(CHAT, body_of(self._job.model, dataset, question), job=job, repeat=repeat)
        if not self._job.likelihood:
            raise RequestFailed("refused-by-server", "it tells no log-probabilities of a prompt", tries=0)

        def ask(body: dict[str, Any]) -> Awaitable[Answer]:
            return self._client.ask(COMPLETIONS, body, job=job)

        return await log_likelihoods(ask, self._job.model, question.context, sample.continuations, self._job.likelihood)

    @property
    def _down(self) -> str:
        """Why nothing more is asked; empty while model and judges are there."""
        return self._client.down_reason or self._panel.down_reason

    async def _score(self, one: OpenDataset, question: Question, sample: Sample, answer: Answer) -> None:
        parted = without_thinking(answer.text) if one.dataset.thinking == "cut" else Parted(answer.text, "")
        if one.judging is not None:
            await self._unscored.acquire()
            self._scoring.create_task(self._judge(one, one.judging, question, sample, answer, parted))
            return
        try:
            verdict = one.questions.benchmark.scorer.at_once(parted.answer, sample)
        except Exception as error:  # noqa: BLE001 - one answer's failure is its own
            self._write_unscored(one, question, answer, f"the scorer failed: {type(error).__name__}: {error}")
            return
        if verdict is not None:
            self._write_scored(one, question, answer, parted, verdict)
            return
        await self._unscored.acquire()
        self._scoring.create_task(self._score_aside(one, question, sample, answer, parted))

    async def _score_aside(
        self, one: OpenDataset, question: Question, sample: Sample, answer: Answer, parted: Parted
    ) -> None:
        try:
            verdict = await self._pool.verdict(one.dataset.benchmark, parted.answer, sample)
        except ScoringFailed as failure:
            self._write_unscored(one, question, answer, str(failure))
        else:
            self._write_scored(one, question, answer, parted, verdict)
        finally:
            self._unscored.release()

    async def _judge(
        self,
        one: OpenDataset,
        judging: Judging,
        question: Question,
        sample: Sample,
        answer: Answer,
        parted: Parted,
    ) -> None:
        try:
            judged = await self._panel.judge(judging, sample, parted.answer, question.repeat)
        except NotJudged as failure:
            self._write(one, question, {"error": str(failure), **_answered(answer)}, {"failure": "judge"})
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            # One reply that nobody thought of is one sample's; what makes it pointless to go on is none of these.
            told = f"the judging failed: {type(error).__name__}: {error}"
            self._write(one, question, {"error": told, **_answered(answer)}, {"failure": "judge"})
        else:
            self._write_scored(one, question, answer, parted, judged.verdict, {"judges": judged.details})
        finally:
            self._unscored.release()

    def _write_failed(self, one: OpenDataset, question: Question, failure: Failure, error: str) -> None:
        self._write(one, question, {"error": error, "response": None}, {"failure": failure})

    def _write_unscored(self, one: OpenDataset, question: Question, answer: Answer, error: str) -> None:
        self._write(one, question, {"error": error, **_answered(answer)}, {"failure": "scoring"})

    def _write_scored(
        self,
        one: OpenDataset,
        question: Question,
        answer: Answer,
        parted: Parted,
        verdict: Verdict,
        more: Mapping[str, Any] = {},
    ) -> None:
        result = {"extracted": verdict.extracted, "scores": verdict.scores, "error": None, **_answered(answer)}
        self._write(one, question, result, {**_remarks(answer, parted, verdict), **more})

    def _write(self, one: OpenDataset, question: Question, result: Record, remarks: dict[str, Any]) -> None:
        record = {**_asked(self._job.model, one.dataset.id, question), **result}
        cluster = question.sample.cluster if question.sample else None
        record["metadata"] = {"index": question.index, **({"cluster": cluster} if cluster else {}), **remarks}
        one.writer.write(question.index, question.repeat, record)
        self._ledger.count(one.dataset.id, is_good(record))


def body_of(model: str, dataset: DatasetJob, question: Question) -> dict[str, Any]:
    """The request that is made of a question."""
    body = {"model": model, "messages": question.messages, **dataset.request}
    if question.repeat and "seed" in body:
        # With one seed, every repeat would be the same answer.
        body["seed"] += question.repeat
    return body


def _first(error: BaseException) -> BaseException:
    """The first error that is none of several."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _in_thread(work: Callable[[], T]) -> T | None:
    """The result of ``work``, None where it failed; the end of the program does not wait for it."""
    result: list[T] = []
    thread = threading.Thread(target=lambda: result.append(work()), daemon=True)
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(_POLL_S)
    return result[0] if result else None


def _asked(model: str, dataset: str, question: Question) -> Record:
    return {
        "model": model,
        "dataset": dataset,
        "subset": question.subset,
        "sample_id": question.sample_id,
        "repeat": question.repeat,
        "input": question.context or shown(question.messages),
        "prompt_sha256": prompt_sha256(question.prompts) if question.prompts else None,
        "target": question.sample.target if question.sample else None,
    }


def _answered(answer: Answer) -> Record:
    return {
        "response": answer.text,
        "usage": answer.usage,
        "latency_s": answer.latency_s,
        "finish_reason": answer.finish_reason,
    }


def _remarks(answer: Answer, parted: Parted, verdict: Verdict) -> dict[str, Any]:
    """How the answer was read, for ``metadata``."""
    remarks: dict[str, Any] = {"extraction": verdict.method}
    if verdict.remark:
        remarks["remark"] = verdict.remark
    if answer.reasoning:
        remarks["reasoning"] = answer.reasoning
    if parted.thinking or answer.reasoning:
        remarks["thinking_chars"] = len(parted.thinking) + len(answer.reasoning or "")
    if doubt := _doubt(answer, parted, verdict):
        remarks["validity"] = doubt
    return remarks


def _doubt(answer: Answer, parted: Parted, verdict: Verdict) -> str | None:
    """Why an answer may not say what the model can do: ``empty``, ``truncated`` or ``unparsed``."""
    if not parted.answer.strip():
        return "empty"
    if answer.finish_reason == "length":
        return "truncated"
    return "unparsed" if verdict.extracted is None else None
