"""What an arena would take: answers, battles, calls, tokens, money. Nobody is asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bridge.arena.prepare import Setup
from bridge.native.arena.answers import Answer, Answers, recorded_answers
from bridge.native.arena.asking import answered
from bridge.native.arena.battle import Battle, read_battles
from bridge.native.arena.folder import ArenaFolder, recorded_questions
from bridge.native.arena.judging import Judge, Shown, estimate, unplayed
from bridge.native.arena.matches import Call, spent, within
from bridge.native.arena.schedule import Schedule
from bridge.native.arena.standing import Standing, changed_questions

TYPICAL_ANSWER_CHARS = 1200
"""Of an answer that is not there yet."""


@dataclass(frozen=True)
class JudgeCost:
    judge: str
    calls: int
    prompt_tokens: int
    """Estimated: four characters each."""
    completion_tokens: int
    usd: float | None
    """None where no price is given."""


@dataclass(frozen=True)
class ArenaPlan:
    questions: int
    answers: dict[str, int]
    """Model → requests that are to be made for its answers."""
    matches: int
    """Question × pair, or question × model."""
    comparisons: int
    """Matches × turns."""
    identical: int
    """Calls that are saved because both answers are the same."""
    missing: int
    """Calls that cannot be made because an answer is missing."""
    done: int
    """Calls that were made in an earlier invocation."""
    judges: tuple[JudgeCost, ...]
    people: tuple[str, ...]
    dry_run: bool

    @property
    def calls(self) -> int:
        return sum(judge.calls for judge in self.judges)

    @property
    def usd(self) -> float | None:
        """None where a judge has no price."""
        costs = [judge.usd for judge in self.judges]
        return None if None in costs or not costs else sum(cost for cost in costs if cost is not None)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"calls": self.calls, "usd": self.usd}


def plan_of(setup: Setup, run: Path | None = None) -> ArenaPlan:
    """``run``: the folder that would be gone on with."""
    folder = ArenaFolder(run) if run is not None else None
    waiting, shown = _answers(setup, folder)
    done = _done(setup, shown, folder)
    judges = {judge.name: setup.judge(judge) for judge in setup.asked_judges}
    block = setup.spec.arena
    schedule = Schedule(block, setup.questions, setup.models, list(judges), setup.prompts, shown)
    budget = block.pairs.budget
    left = None if budget is None or budget.calls is None else budget.calls - spent(done.values())[0]
    chosen = list(within(schedule.candidates(), left, lambda match: schedule.cost(match, done)))
    calls = [call for match in chosen for call in schedule.calls(match)]
    waiting_calls = [call for call in calls if call.battle_id not in done]
    rows = [unplayed(call, shown, missing_loses=False) for call in waiting_calls]
    real = [call for call, row in zip(waiting_calls, rows, strict=True) if row is None]
    return ArenaPlan(
        questions=len(setup.questions),
        answers=waiting,
        matches=len(chosen),
        comparisons=sum(len(match.question.turns) for match in chosen),
        identical=sum(row is not None and row.error is None for row in rows),
        missing=sum(row is not None and row.error is not None for row in rows),
        done=len(calls) - len(waiting_calls),
        judges=() if block.dry_run else tuple(_cost(judge, real, shown) for judge in judges.values()),
        people=tuple(judge.name for judge in setup.spec.all_judges if judge.human),
        dry_run=block.dry_run,
    )


def _answers(setup: Setup, folder: ArenaFolder | None) -> tuple[dict[str, int], Shown]:
    """Requests to be made for each model, and the answers: those that are there, and texts of a typical length."""
    waiting: dict[str, int] = {}
    answers: dict[str, Answers] = {}
    for model in setup.spec.models:
        if model.name in setup.on_file:
            answers[model.name] = setup.on_file[model.name]
            continue
        path = folder.answers(model.name) if folder else None
        asked = setup.contestant(model)
        there = answered(path, asked, setup.questions) if path is not None else {}
        found = recorded_answers(path, model.name) if path is not None and there else Answers(model.name)
        waiting[model.name] = sum(len(one.turns) for one in setup.questions if one.question_id not in there)
        for question in setup.questions:
            if question.question_id not in there:
                text = f"{model.name} ".ljust(TYPICAL_ANSWER_CHARS, ".")
                found.of[question.question_id] = Answer((text,) * len(question.turns))
        answers[model.name] = found
    return waiting, Shown(answers)


def _done(setup: Setup, shown: Shown, folder: ArenaFolder | None) -> dict[str, Battle]:
    if folder is None or not folder.battles.exists():
        return {}
    now = {question.question_id: question for question in setup.questions}
    for name in changed_questions(recorded_questions(folder.questions), now):
        del now[name]
    judges = [judge.name for judge in setup.asked_judges]
    standing = Standing(now, setup.prompts, shown, judges, setup.spec.arena)
    standing.take(read_battles(folder.battles))
    return standing.kept


def _cost(judge: Judge, calls: list[Call], shown: Shown) -> JudgeCost:
    own = [estimate(shown, call, judge) for call in calls if call.judge == judge.name]
    prompt, reply = sum(one for one, _ in own), sum(one for _, one in own)
    return JudgeCost(judge.name, len(own), prompt, reply, judge.price.of(prompt, reply) if judge.price else None)
