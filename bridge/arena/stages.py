"""The stages that ask: answers, then battles. What was answered before is not asked again, whatever was killed when."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from bridge.arena.clients import connected
from bridge.arena.contestants import Contestants
from bridge.arena.counter import Counter
from bridge.arena.prepare import Setup
from bridge.arena_spec import ArenaSpec
from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import Client
from bridge.errors import BridgeError, EnvError, OutputError
from bridge.native.arena.answers import Answers, recorded_answers
from bridge.native.arena.battle import Battle, BattleError, line, read_battles
from bridge.native.arena.folder import Appender, ArenaFolder, recorded_questions, set_aside, write_questions
from bridge.native.arena.judging import Judge, Judging, Purse, Shown, blank, drawn, unplayed
from bridge.native.arena.matches import Call, spent
from bridge.native.arena.questions import Question
from bridge.native.arena.rating_stage import people_of
from bridge.native.arena.schedule import Schedule
from bridge.native.arena.settings import of_spec
from bridge.native.arena.standing import Standing, changed_questions
from bridge.progress import JobProgress, Watcher
from bridge.report.schema import ErrorKind, ReportError
from bridge.report.text import plural
from bridge.rundir import RunDir, write_atomic
from bridge.spec_file import dump_spec

AGAIN = "run the same command again: only these are asked"


@dataclass
class Stages:
    setup: Setup
    rundir: RunDir
    watcher: Watcher
    errors: list[ReportError] = field(default_factory=list)

    @property
    def spec(self) -> ArenaSpec:
        return self.setup.spec

    @property
    def folder(self) -> ArenaFolder:
        return ArenaFolder(self.rundir.root)

    async def run(self) -> None:
        """Both stages; what fails is in ``errors``, and in the rows."""
        with RequestStore(self.rundir.requests) as store:
            await Contestants(self.setup, self.rundir, store, self.watcher, self._failed).answer()
            await self._battles(store)
        if store.warning:
            self.errors.append(ReportError(kind=ErrorKind.WARNING, message=store.warning))

    # Battles ----------------------------------------------------------------------------------------------------

    async def _battles(self, store: RequestStore) -> None:
        shown = Shown({name: recorded_answers(self.folder.answers(name), name) for name in self.setup.models})
        self._missing(shown)
        done = self._standing(shown)
        self._old_votes()
        judges = {judge.name: self.setup.judge(judge) for judge in self.setup.asked_judges}
        block = self.spec.arena
        schedule = Schedule(block, self.setup.questions, self.setup.models, list(judges), self.setup.prompts, shown)
        budget = block.pairs.budget
        purse = Purse(budget.usd if budget else None, spent(done.values())[1])
        async with self._judges(store) as clients:
            with Appender(self.folder.battles) as file:
                judging = Judging(shown, file, block.scale, self.spec.concurrency, lambda row: None, purse)
                while batch := schedule.batch(done):
                    rows = self._settled(batch, shown)
                    file.write(b"".join(map(line, rows)))
                    done |= {row.battle_id: row for row in rows}
                    await self._play(judging, [c for c in batch if c.battle_id not in done], judges, clients, done)
                    if judging.not_begun:
                        self._out_of_money(len(judging.not_begun))
                        break
        self._not_answered(done.values())

    def _standing(self, shown: Shown) -> dict[str, Battle]:
        """The rows that still count; what no longer does is set aside before the new spec is written down."""
        now = {question.question_id: question for question in self.setup.questions}
        changed = changed_questions(recorded_questions(self.folder.questions), now)
        questions = {name: question for name, question in now.items() if name not in changed}
        judges = self._same_judges()
        standing = Standing(questions, self.setup.prompts, shown, judges, self.spec.arena)
        if self.folder.battles.exists():
            standing.take(read_battles(self.folder.battles))
        set_aside(self.folder, standing.kept.values(), standing.stale)
        if standing.stale:
            what = f"{len(standing.stale)} verdicts no longer count: what they are about has changed"
            self.watcher.note(f"{what} ({self.folder.stale})")
        write_questions(self.folder.questions, self.setup.questions)
        how = {judge.name: self.setup.asked_how(judge) for judge in self.setup.asked_judges}
        write_atomic(self.folder.judges, json.dumps(how, indent=1))
        write_atomic(self.rundir.spec, dump_spec(self.spec))
        return standing.kept

    def _old_votes(self) -> None:
        if stale := people_of(self.folder, of_spec(self.spec)).stale:
            what = f"{plural(stale, 'vote')} of people no longer count: the answers they are about have changed"
            self.watcher.note(f"{what} ({self.folder.votes})")

    def _same_judges(self) -> set[str]:
        """Judges that are asked as they were when the rows were made."""
        now = {judge.name: self.setup.asked_how(judge) for judge in self.setup.asked_judges}
        try:
            before = json.loads(self.folder.judges.read_bytes())
        except (OSError, ValueError):
            before = {}
        return {name for name, how in now.items() if before.get(name, how) == how}

    def _settled(self, batch: Sequence[Call], shown: Shown) -> list[Battle]:
        """Rows of the calls that nobody need be asked for."""
        block = self.spec.arena
        found = []
        for call in batch:
            row = unplayed(call, shown, missing_loses=block.missing == "loss")
            if row is None and block.dry_run:
                row = drawn(call, shown, block.pairs.seed, block.scale)
            if row is not None:
                found.append(row)
        return found

    async def _play(
        self,
        judging: Judging,
        calls: Sequence[Call],
        judges: dict[str, Judge],
        clients: _Clients,
        done: dict[str, Battle],
    ) -> None:
        plan = []
        for name, judge in judges.items():
            own = [call for call in calls if call.judge == name]
            if not own:
                continue
            client = await clients.of(name)
            if isinstance(client, str):
                rows = [_failed_row(call, judging.shown, client) for call in own]
                judging.file.write(b"".join(map(line, rows)))
                done |= {row.battle_id: row for row in rows}
            else:
                plan.append((judge, client, own))
        counters = {
            judge.name: Counter(self.watcher, JobProgress(f"judge {judge.name}", "running", 0, len(own), "judge"))
            for judge, _, own in plan
        }

        def told(row: Battle) -> None:
            done[row.battle_id] = row
            counters[row.judge].count(row.error is None)

        judging.told = told
        await judging.run(plan)
        for counter in counters.values():
            counter.close()

    @asynccontextmanager
    async def _judges(self, store: RequestStore) -> AsyncIterator[_Clients]:
        async with AsyncExitStack() as stack:
            yield _Clients(self, store, stack)

    # Errors -----------------------------------------------------------------------------------------------------

    def _failed(self, error: BridgeError, model: str) -> None:
        if isinstance(error, OutputError):
            raise error
        kind = ErrorKind.ENV if isinstance(error, EnvError) else ErrorKind.SERVE
        first, _, rest = str(error).partition("\n")
        self.errors.append(ReportError(kind=kind, message=first, hint=rest, model=model))

    def _missing(self, shown: Shown) -> None:
        """Which models lack answers, and why; what that leaves undecided is told with the ratings."""
        block, total = self.spec.arena, len(self.setup.questions)
        loss = "arena.missing: loss counts their battles as lost"
        for name, answers in shown.answers.items():
            failed, empty = _lacking(answers, self.setup.questions)
            if empty:
                message = f"{name} lacks an answer to {len(empty)} of {total} questions, the first: {_first(empty)}"
                hint = loss if block.missing == "skip" and block.mode != "single" else ""
                self.errors.append(ReportError(kind=ErrorKind.WARNING, message=message, hint=hint, model=name))
            if failed:
                message = f"{name}: {len(failed)} of {total} questions were not answered, the first: {_first(failed)}"
                hint = "its file of answers says so" if name in self.setup.on_file else AGAIN
                self._unanswered(message, name, len(failed), hint)

    def _not_answered(self, rows: Iterable[Battle]) -> None:
        """Calls that failed, judge by judge; what that leaves undecided is told with the ratings."""
        by_judge: dict[str, list[Battle]] = {}
        for row in rows:
            by_judge.setdefault(row.judge, []).append(row)
        for judge, own in by_judge.items():
            failed = [row.error.message for row in own if row.error is not None and row.error.kind == "failed"]
            if failed:
                what = f"judge {judge}: {len(failed)} of {len(own)} calls were not answered, the last: {failed[-1]}"
                self._unanswered(what, judge, len(failed), AGAIN)

    def _unanswered(self, what: str, model: str, count: int, hint: str) -> None:
        self.errors.append(ReportError(kind=ErrorKind.UNANSWERED, message=what, hint=hint, count=count, model=model))

    def _out_of_money(self, matches: int) -> None:
        message = f"arena.pairs.budget.usd is used up; {matches} matches were not played"
        self.errors.append(ReportError(kind=ErrorKind.WARNING, message=message, hint="raise it to go on"))


@dataclass
class _Clients:
    """The judges' clients, each opened when it is first needed."""

    stages: Stages
    store: RequestStore
    stack: AsyncExitStack
    _open: dict[str, Client | str] = field(default_factory=dict)

    async def of(self, name: str) -> Client | str:
        """The client, or why there is none."""
        if name not in self._open:
            stages = self.stages
            model = next(judge.model() for judge in stages.spec.all_judges if judge.name == name)
            assert model is not None
            way = connected(model, stages.spec, stages.rundir, self.store, stages.watcher)
            try:
                self._open[name] = await self.stack.enter_async_context(way)
            except BridgeError as error:
                self._open[name] = str(error).partition("\n")[0]
        return self._open[name]


Lacking = list[tuple[str, str]]
"""Questions, and why there is no answer."""


def _lacking(answers: Answers, questions: Sequence[Question]) -> tuple[Lacking, Lacking]:
    """What a model has no answer to because a request failed, and because it gave none."""
    failed, empty = Lacking(), Lacking()
    for question in questions:
        answer, turns = answers.get(question.question_id), len(question.turns)
        if answer.up_to(turns) is None:
            of = empty if answer.left_empty(turns) else failed
            of.append((question.question_id, answer.problem or "not to every turn"))
    return failed, empty


def _first(found: Lacking) -> str:
    question_id, why = found[0]
    return f"{question_id} ({why})"


def _failed_row(call: Call, shown: Shown, reason: str) -> Battle:
    row = blank(call, shown)
    row.error = BattleError("failed", f"not asked: {reason}")
    return row
