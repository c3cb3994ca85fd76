"""The first stage: each model is asked what it has not answered yet, a base and its adapters beside each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bridge.arena.clients import asking, serving
from bridge.arena.counter import Counter
from bridge.arena.prepare import Setup
from bridge.endpoint.cache import RequestStore
from bridge.errors import BridgeError, EnvError, ServeError
from bridge.native.arena.asking import Contestant, ask, still_to_ask, write_answers
from bridge.native.arena.folder import ArenaFolder
from bridge.native.arena.questions import Question
from bridge.progress import JobProgress, Watcher
from bridge.rundir import RunDir
from bridge.serve import Served, together
from bridge.spec import ModelSpec


@dataclass(frozen=True)
class Waiting:
    """A model, and what it is still to be asked."""

    model: ModelSpec
    asked: Contestant
    questions: Sequence[Question]


@dataclass(frozen=True)
class Contestants:
    setup: Setup
    rundir: RunDir
    store: RequestStore
    watcher: Watcher
    failed: Callable[[BridgeError, str], None]
    """Told of each model that could not be asked."""

    async def answer(self) -> None:
        waiting = {one.model.name: one for one in self._waiting()}
        for group in together(one.model for one in waiting.values()):
            await self._group([waiting[model.name] for model in group])

    def _waiting(self) -> Iterator[Waiting]:
        setup, folder = self.setup, ArenaFolder(self.rundir.root)
        for contestant in setup.spec.models:
            path, model = folder.answers(contestant.name), contestant.model()
            if model is None:
                write_answers(path, setup.on_file[contestant.name], setup.questions, setup.spec.questions_name)
                continue
            asked = setup.contestant(contestant)
            if questions := still_to_ask(path, asked, setup.questions):
                yield Waiting(model, asked, questions)

    async def _group(self, group: list[Waiting]) -> None:
        """Models that one process can serve share its start; where it cannot, each has one of its own."""
        if len(group) > 1:
            async with AsyncExitStack() as stack:
                served = await self._together(stack, [one.model for one in group])
                while served and group and not served[group[0].model.name].died.is_set():
                    await self._ask(group.pop(0), served)
        for one in group:
            try:
                async with serving([one.model], self.setup.spec, self.rundir, self.watcher) as served:
                    await self._ask(one, served)
            except BridgeError as error:
                self.failed(error, one.model.name)

    async def _together(self, stack: AsyncExitStack, models: Sequence[ModelSpec]) -> Mapping[str, Served]:
        """Empty where one process cannot serve them, or nobody can: what is wrong is then told of each."""
        try:
            return await stack.enter_async_context(serving(models, self.setup.spec, self.rundir, self.watcher))
        except (ServeError, EnvError) as error:
            names, first = " and ".join(model.name for model in models), str(error).partition("\n")[0]
            self.watcher.note(f"{names}: not together, so one by one: {first}")
            return {}

    async def _ask(self, one: Waiting, served: Mapping[str, Served]) -> None:
        spec, n = self.setup.spec, len(one.questions)
        counter = Counter(self.watcher, JobProgress(f"answers of {one.model.name}", "running", 0, n, "answer"))
        path = ArenaFolder(self.rundir.root).answers(one.model.name)
        try:
            async with asking(one.model, served[one.model.name], spec, self.store) as client:
                await ask(client, one.asked, one.questions, path, concurrency=spec.concurrency, told=counter.count)
        except BridgeError as error:
            self.failed(error, one.model.name)
        counter.close()
