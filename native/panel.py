"""Asks a run's judges about one answer, and makes one verdict of what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bridge.endpoint.answer import Answer, EndpointDown, RequestFailed
from bridge.endpoint.client import Client
from bridge.native.benchmark import Message, Sample, Verdict
from bridge.native.job import JudgeJob
from bridge.native.judging import Ask, Judging, Scores, asks_of, lowest, of_one_judge, of_panel, read_reply
from bridge.native.prompt import prompt_sha256
from bridge.native.scorers.verdict import Reading, Unreadable

CHAT = "/chat/completions"
_SHOWN_BACK = 2000
"""Characters of an unreadable reply that the judge is shown again."""


class NotJudged(Exception):
    """A judge has not answered, or nobody can read what it said; one line that says which judge, and why."""


@dataclass(frozen=True)
class Judge:
    """One judge, and the way to it."""

    job: JudgeJob
    client: Client
    traffic: str
    """The name under which its requests are recorded."""


@dataclass(frozen=True)
class Judgement:
    """What the panel made of one answer, for the record."""

    verdict: Verdict
    details: list[dict[str, Any]]
    """Each reply, by judge and order."""


@dataclass(frozen=True, slots=True)
class _Reply:
    scores: Scores
    details: dict[str, Any]


class Panel:
    """The judges of a run, side by side."""

    def __init__(self, judges: Sequence[Judge]) -> None:
        self._judges = judges
        self.names = tuple(judge.job.model for judge in judges)

    @property
    def down_reason(self) -> str:
        """Why a judge was given up; empty while all are there."""
        return next((judge.client.down_reason for judge in self._judges if judge.client.down.is_set()), "")

    async def judge(self, judging: Judging, sample: Sample, response: str, repeat: int) -> Judgement:
        """Raises NotJudged where any of the judges gives no verdict: a panel of fewer is another panel."""
        if not response.strip():
            return Judgement(Verdict(None, lowest(judging, self.names), "empty"), [])
        asks = _asks(judging, sample, response)
        work = [self._asked(judge, judging, ask, repeat) for judge in self._judges for ask in asks]
        replies = await asyncio.gather(*work, return_exceptions=True)
        found = _sound(replies)
        judged = {
            judge.job.model: of_one_judge(judging, [one.scores for one in found[at : at + len(asks)]])
            for judge, at in zip(self._judges, range(0, len(found), len(asks)), strict=True)
        }
        scores = of_panel(judging, judged)
        return Judgement(Verdict(_said(judging, judged), scores, "judge"), [one.details for one in found])

    async def _asked(self, judge: Judge, judging: Judging, ask: Ask, repeat: int) -> _Reply:
        """Asks until the reply can be read: each time with what was wrong, which is a request of its own."""
        messages = list(ask.messages)
        why = ""
        for attempt in range(1, judging.attempts + 1):
            answer = await _answer(judge, messages, repeat)
            try:
                read = _read(judging, answer, ask)
            except Unreadable as error:
                why = str(error)
                messages = [*messages, *_once_more(answer.text, why)]
                continue
            return _Reply(read.verdict, _details(judge, answer, ask, read, attempt))
        raise NotJudged(f"the judge {judge.job.model} was not understood in {judging.attempts} attempts: {why}")


async def _answer(judge: Judge, messages: list[Message], repeat: int) -> Answer:
    body = {"model": judge.job.model, "messages": messages, **judge.job.request}
    try:
        return await judge.client.ask(CHAT, body, job=judge.traffic, repeat=repeat)
    except (RequestFailed, EndpointDown) as failure:
        raise NotJudged(f"the judge {judge.job.model} has not answered: {failure}") from None


def _read(judging: Judging, answer: Answer, ask: Ask) -> Reading[Scores]:
    if answer.finish_reason == "length":
        raise Unreadable("the judge's reply was cut off at its limit of tokens")
    return read_reply(judging, answer.text, swapped=ask.swapped)


def _details(judge: Judge, answer: Answer, ask: Ask, read: Reading[Scores], attempt: int) -> dict[str, Any]:
    """For the record: what the judge said, and what was read out of it."""
    details = {"judge": judge.job.model, "reply": answer.text, "scores": read.verdict, "attempts": attempt}
    details["prompt_sha256"] = prompt_sha256(ask.messages)
    return details | {name: True for name, holds in (("ambiguous", read.ambiguous), ("swapped", ask.swapped)) if holds}


def _asks(judging: Judging, sample: Sample, response: str) -> list[Ask]:
    try:
        return asks_of(judging, sample, response)
    except (LookupError, ValueError, AttributeError) as error:
        there = ", ".join([*sample.fields, "response", "target", "nonce", "format"])
        raise NotJudged(f"the judge's prompt names {error}; there are: {there}") from None


def _sound(replies: Sequence[_Reply | BaseException]) -> list[_Reply]:
    """The replies. Raises what went wrong, first what makes it pointless to go on."""
    failures = [reply for reply in replies if isinstance(reply, BaseException)]
    for failure in sorted(failures, key=lambda one: isinstance(one, NotJudged)):
        raise failure
    return [reply for reply in replies if isinstance(reply, _Reply)]


def _once_more(reply: str, why: str) -> list[Message]:
    return [
        {"role": "assistant", "content": reply[:_SHOWN_BACK] or "(nothing)"},
        {"role": "user", "content": f"This cannot be used: {why}. Give your verdict again, in the form asked for."},
    ]


def _said(judging: Judging, judged: dict[str, Scores]) -> str:
    """The verdict in words, for the record's ``extracted``."""

    def words(scores: Scores) -> str:
        value = scores[judging.main]
        if judging.method == "correctness":
            return next(label for label, worth in judging.worth.items() if worth == value)
        return f"{value:g}"

    if len(judged) == 1:
        return words(next(iter(judged.values())))
    return "; ".join(f"{judge}: {words(scores)}" for judge, scores in judged.items())
