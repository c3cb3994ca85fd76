"""ToolEval: the judge votes on every answer, and on which of two is better; each vote is a line in a journal."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bridge.adapters.asking.journal import Journal, Key
from bridge.adapters.asking.judge import asked_anew, failure, judged, rounds_of
from bridge.adapters.asking.model import Model, NotAnswered
from bridge.adapters.asking.request import digest, of_repeat
from bridge.adapters.asking.results import PROGRESS, SAMPLES
from bridge.adapters.asking.work import Progress, for_each, write_whole
from bridge.adapters.toolbench import tooleval
from bridge.adapters.toolbench.answers import Answer, first_of_each, read_answers
from bridge.adapters.toolbench.ballots import Ballots, pair_sha256
from bridge.adapters.toolbench.names import WIN_RATE
from bridge.adapters.toolbench.settings import EvalJob
from bridge.spec import JsonObject

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Case:
    """One query with what was answered to it; None where there is no answer file."""

    key: str
    model: Answer | None
    reference: Answer | None

    def sample(self) -> JsonObject:
        """What the collector is to know."""
        subset, _, query_id = self.key.partition("/")
        known = self.model or self.reference
        return {
            "id": query_id,
            "subset": subset,
            "query": known.query if known else "",
            "model": _shown(self.model),
            "reference": _shown(self.reference),
            "same": bool(self.model and self.reference and tooleval.are_the_same(self.model, self.reference)),
        }


@dataclass(frozen=True, slots=True)
class Ballot:
    """One question to the judge, to be voted on several times."""

    key: str
    about_sha256: str
    vote: Callable[[int, int], Awaitable[JsonObject]]
    """The ``nth`` vote after so many rounds without sense, as the journal keeps it. Raises NotAnswered."""


def prepared(job: EvalJob) -> list[Case]:
    """What is to be judged, written down first. Raises DataError."""
    mine = read_answers(Path(job.path), job.answers, job.subsets)
    theirs = read_answers(Path(job.reference), "", mine.subsets) if job.reference else None
    expected = [*mine.expected, *(theirs.expected if theirs else ())]
    expected.sort(key=lambda key: mine.subsets.index(key.partition("/")[0]))
    cases = [
        Case(key, mine.by_key.get(key), theirs.by_key.get(key) if theirs else None)
        for key in first_of_each(expected, job.limit)
    ]
    write_whole(Path(SAMPLES), "".join(json.dumps(case.sample()) + "\n" for case in cases))
    return cases


async def run(job: EvalJob, cases: Sequence[Case], judge: Model) -> None:
    court = Court(job, judge)
    ballots = Ballots.of(Path.cwd(), job.votes, "")
    await court.decide("pass", [court.status(case.model) for case in cases if _is_open(case.model)], ballots.model)
    if job.kind != WIN_RATE:
        return
    references = [court.status(case.reference) for case in cases if _is_open(case.reference)]
    await court.decide("pass-reference", references, ballots.reference)
    undecided = [court.preference(case) for case in cases if ballots.needs_comparison(case.sample())]
    await court.decide("prefer", undecided, ballots.preferences)


@dataclass(frozen=True, slots=True)
class Court:
    """The judge, and how it is asked."""

    job: EvalJob
    judge: Model

    async def decide(self, stage: str, ballots: Sequence[Ballot], journal: Journal) -> None:
        """Takes every vote that the journal does not have yet; a failure is tried again."""
        votes = [(ballot, nth) for ballot in ballots for nth in range(self.job.votes)]
        todo = [(ballot, nth) for ballot, nth in votes if not _is_done(journal.get(Key(ballot.key, nth)), ballot)]

        async def one(vote: tuple[Ballot, int]) -> None:
            ballot, nth = vote
            earlier = journal.get(Key(ballot.key, nth)) or {}
            rounds = rounds_of(earlier) if earlier.get("about_sha256") == ballot.about_sha256 else 0
            try:
                entry = await ballot.vote(nth, rounds)
            except NotAnswered as error:
                entry = failure(error, rounds)
            journal.add(Key(ballot.key, nth), {"about_sha256": ballot.about_sha256, **entry})

        done = len(votes) - len(todo)
        progress = Progress(Path(PROGRESS), stage, self.job.dataset, done=done, total=len(votes))
        await for_each(todo, one, concurrency=self.job.concurrency, progress=progress)

    def status(self, answer: Answer | None) -> Ballot:
        """Whether an answer solves its query."""
        assert answer is not None, "only of answers that are there"

        async def vote(nth: int, rounds: int) -> JsonObject:
            status, said = await self.ask(tooleval.status_prompt(answer), nth, rounds, tooleval.read_status)
            responses = [said]
            if status == "unsure":
                status, said = await self.ask(tooleval.detailed_prompt(answer), nth, rounds, tooleval.read_status)
                responses.append(said)
            return {"status": status, "responses": responses}

        return Ballot(answer.key, digest(answer.to_json()), vote)

    def preference(self, case: Case) -> Ballot:
        """Which of the two answers is better."""
        model, reference = case.model, case.reference
        assert model is not None and reference is not None, "only of answers that are there"

        async def vote(nth: int, rounds: int) -> JsonObject:
            prompt = tooleval.better_prompt(model, reference, nth)
            better, said = await self.ask(prompt, nth, rounds, lambda text: tooleval.read_better(text, nth))
            return {"better": better, "responses": [said]}

        return Ballot(case.key, pair_sha256(case.sample()), vote)

    async def ask(self, prompt: str, nth: int, rounds: int, read: Callable[[str], T]) -> tuple[T, str]:
        fields = asked_anew(of_repeat(self.job.request, nth), rounds)
        request = {"model": self.job.judge, "messages": [{"role": "user", "content": prompt}], **fields}
        judgment = await judged(self.judge, request, read, attempts=self.job.attempts)
        return judgment.value, judgment.response


def _is_open(answer: Answer | None) -> bool:
    """There is something to ask the judge about."""
    return answer is not None and not tooleval.is_unsolved_at_sight(answer)


def _is_done(entry: JsonObject | None, ballot: Ballot) -> bool:
    return entry is not None and entry.get("about_sha256") == ballot.about_sha256 and "error" not in entry


def _shown(answer: Answer | None) -> JsonObject | None:
    """An answer as the list of samples has it."""
    if answer is None:
        return None
    return {
        "final_answer": answer.final_answer,
        "method": answer.method,
        "steps": len(answer.steps),
        "unsolved_at_sight": tooleval.is_unsolved_at_sight(answer),
        "sha256": digest(answer.to_json()),
    }
