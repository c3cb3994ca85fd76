"""Runs the planned tasks: environments side by side, then model by model serve | gateway | launch → Outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge.backend import EnvSpec, Job
from bridge.collect import Executed, job_folder, traffic_name
from bridge.confine import confinement, room_of
from bridge.connect import Connection, connect, forward
from bridge.endpoint.traffic import judge_traffic
from bridge.envs import ensure
from bridge.errors import BridgeError, EnvError, Interrupted, ServeError
from bridge.invocation import unless_stopped
from bridge.launch import StopSignal, digest, launch, not_launched
from bridge.observe import Observer
from bridge.plan import Plan, PlannedTask
from bridge.progress import Watcher
from bridge.report.schema import ErrorKind, ModelInfo, ReportError
from bridge.rundir import RunDir
from bridge.sandbox.room import Door
from bridge.serve import LOCAL_ENV, Served, environment_of, not_served, serve_together, together
from bridge.serve.abilities import likelihood_way
from bridge.spec import ModelSpec


@dataclass
class Execution:
    """One invocation's work: the tasks that are not yet complete."""

    plan: Plan
    rundir: RunDir
    watcher: Watcher
    failed_marker: str
    executed: list[Executed] = field(default_factory=list)
    models: dict[str, ModelInfo] = field(default_factory=dict)
    errors: list[ReportError] = field(default_factory=list)
    interrupt: StopSignal = field(default_factory=lambda: StopSignal(asyncio.Event()))
    _environments: dict[str, asyncio.Task[Path]] = field(default_factory=dict)

    async def run(self, pending: Sequence[PlannedTask]) -> None:
        """Runs the pending tasks to an end; what fails is in ``errors`` and in the outcomes."""
        if not pending:
            return
        self._start_environments(pending)
        try:
            async with AsyncExitStack() as stack:
                stop = StopSignal(asyncio.Event())
                stack.enter_context(_passed_on(self.interrupt, stop))
                judges = await self._judges(stack, pending, stop)
                for group in together(self.plan.spec.all_models):
                    await self._run_group(group, pending, judges, stop)
        except BridgeError as error:
            self._give_up(pending, error)
        finally:
            await self._stop_environments()

    # Environments -----------------------------------------------------------------------------------------------

    def _start_environments(self, pending: Sequence[PlannedTask]) -> None:
        wanted = [environment_of(model) for model in (*self.plan.spec.all_models, *self.plan.spec.all_judges)]
        wanted = [environment for environment in wanted if environment != LOCAL_ENV or _scores_locally(pending)]
        wanted += [job.env_spec for planned in pending for job in planned.jobs()]
        for spec in wanted:
            if spec.lock is not None and spec.name not in self._environments:
                self._environments[spec.name] = asyncio.create_task(self._build(spec))

    async def _build(self, spec: EnvSpec) -> Path:
        name = f"environment {spec.name}"
        try:
            python = await ensure(spec, progress=lambda line: self.watcher.stage(name, "running", line))
        except EnvError:
            self.watcher.stage(name, "failed")
            raise
        self.watcher.stage(name, "done")
        return python

    async def _stop_environments(self) -> None:
        for task in self._environments.values():
            task.cancel()
        await asyncio.gather(*self._environments.values(), return_exceptions=True)

    async def _python(self, spec: EnvSpec) -> Path:
        if spec.lock is None:
            return await ensure(spec)
        return await unless_stopped(self.interrupt, asyncio.shield(self._environments[spec.name]))

    # Models -----------------------------------------------------------------------------------------------------

    async def _judges(
        self, stack: AsyncExitStack, pending: Sequence[PlannedTask], stop: StopSignal
    ) -> list[Connection]:
        judges = self.plan.spec.all_judges
        return [await stack.enter_async_context(self._connected(judge, pending, stop)) for judge in judges]

    async def _run_group(
        self, group: Sequence[ModelSpec], pending: Sequence[PlannedTask], judges: Sequence[Connection], stop: StopSignal
    ) -> None:
        """Models that one process can serve share its start; where it cannot, each has one of its own."""
        tasks = {model.name: [planned for planned in pending if planned.task.model is model] for model in group}
        waiting = [model for model in group if tasks[model.name]]
        if len(waiting) > 1:
            async with AsyncExitStack() as stack:
                served = await self._served_together(stack, waiting, tasks)
                while served and waiting and not served[waiting[0].name].died.is_set():
                    model = waiting.pop(0)
                    await self._run_model(model, tasks[model.name], judges, stop, served[model.name])
        for model in waiting:
            await self._run_model(model, tasks[model.name], judges, stop)

    async def _served_together(
        self, stack: AsyncExitStack, models: Sequence[ModelSpec], tasks: Mapping[str, Sequence[PlannedTask]]
    ) -> dict[str, Served] | None:
        """None where they cannot be served by one process, or not at all: what is wrong is then told of each."""
        serving = self._serving(models, [planned for one in tasks.values() for planned in one])
        try:
            return await unless_stopped(self.interrupt, stack.enter_async_context(serving))
        except (ServeError, EnvError) as error:
            first = str(error).partition("\n")[0]
            self.watcher.stage(f"model {models[0].name}", "running", f"not together, so one by one: {first}")
            return None

    async def _run_model(
        self,
        model: ModelSpec,
        tasks: Sequence[PlannedTask],
        judges: Sequence[Connection],
        stop_all: StopSignal,
        served: Served | None = None,
    ) -> None:
        if not tasks:
            return
        stop = StopSignal(asyncio.Event())
        try:
            async with self._connected(model, tasks, stop, served) as connection:
                self.models[model.name] = connection.served.info
                connection, tasks = await self._probed(connection, tasks)
                observer = Observer(self.watcher, connection.gateway)
                with observer.watching(), _passed_on(stop_all, stop):
                    await asyncio.gather(
                        *(self._launch_task(planned, connection, judges, stop, observer) for planned in tasks)
                    )
        except BridgeError as error:
            self._give_up(tasks, error)

    async def _probed(
        self, connection: Connection, tasks: Sequence[PlannedTask]
    ) -> tuple[Connection, Sequence[PlannedTask]]:
        """Whether the server can do what the tasks need beyond answering; those that it cannot do are given up."""
        wanting = [planned for planned in tasks if any(d.scoring == "loglikelihood" for d in planned.task.datasets)]
        if not wanting:
            return connection, tasks
        served, limit_s = connection.served, self.plan.spec.request_timeout_s
        try:
            way = await likelihood_way(served.base_url, served.model, api_key=served.api_key, timeout_s=limit_s)
        except ServeError as error:
            self._give_up(wanting, ServeError(f"model {connection.model.name}: {error}"))
            return connection, [planned for planned in tasks if planned not in wanting]
        return replace(connection, likelihood=way), tasks

    @asynccontextmanager
    async def _serving(
        self, models: Sequence[ModelSpec], tasks: Sequence[PlannedTask]
    ) -> AsyncIterator[dict[str, Served]]:
        """The models of one start; a local model that its backends load themselves is started by nobody."""
        first = models[0]
        if first.local is not None and not _scores_locally(tasks):
            yield {first.name: not_served(first)}
            return
        python = await self._python(environment_of(first))
        stage, log, many = f"model {first.name}", self.rundir.serve_log(first.name), self.plan.spec.concurrency

        def progress(line: str) -> None:
            self.watcher.stage(stage, "running", line)

        async with serve_together(models, python=python, concurrency=many, log=log, progress=progress) as served:
            yield served

    @asynccontextmanager
    async def _connected(
        self, model: ModelSpec, tasks: Sequence[PlannedTask], stop: StopSignal, served: Served | None = None
    ) -> AsyncIterator[Connection]:
        asks = [] if model.local else [planned for planned in tasks if planned.backend.route == "gateway"]
        shares = [planned.task.concurrency for planned in asks]
        opening = connect(
            model,
            self.plan.spec,
            serving=self._serving([model], tasks) if served is None else nullcontext({model.name: served}),
            rundir=self.rundir,
            watcher=self.watcher,
            stop=stop,
            gateway_concurrency=min(sum(shares), self.plan.spec.concurrency),
            failed_marker=self.failed_marker,
            warn=lambda line: self.errors.append(ReportError(kind=ErrorKind.WARNING, message=line, model=model.name)),
        )
        async with AsyncExitStack() as stack:
            yield await unless_stopped(self.interrupt, stack.enter_async_context(opening))

    # Jobs -------------------------------------------------------------------------------------------------------

    async def _launch_task(
        self,
        planned: PlannedTask,
        connection: Connection,
        judges: Sequence[Connection],
        stop: StopSignal,
        observer: Observer,
    ) -> None:
        for dry in planned.jobs():
            try:
                python = await self._python(dry.env_spec)
            except BridgeError as error:
                self._give_up([planned], error)
                return
            await self._launch_job(planned, dry, python, connection, judges, stop, observer)

    async def _launch_job(
        self,
        planned: PlannedTask,
        dry: Job,
        python: Path,
        connection: Connection,
        judges: Sequence[Connection],
        stop: StopSignal,
        observer: Observer,
    ) -> None:
        name, share = traffic_name(planned, dry.id), planned.task.concurrency
        endpoint = connection.endpoint(planned.backend, name, share)
        if judges:
            there = tuple(
                judge.endpoint(planned.backend, judge_traffic(name, at), share) for at, judge in enumerate(judges)
            )
            endpoint = replace(endpoint, judges=there, judge=there[0] if len(there) == 1 else None)
        job = next(job for job in planned.jobs(endpoint) if job.id == dry.id)
        folder = job_folder(self.rundir, planned, job.id)
        with observer.job(name, folder):
            outcome = await launch(
                job,
                model=planned.task.model.name,
                python=python,
                folder=folder,
                job_digest=digest(dry),
                stop=stop,
                failed_marker=self.failed_marker,
                confined=confinement(job, planned.task),
                room=room_of(job, planned.task, folder, python, _doors(connection, *judges)),
            )
        self.executed.append(Executed(planned, job, outcome))

    def _give_up(self, tasks: Sequence[PlannedTask], error: BridgeError) -> None:
        """These tasks cannot run (any more); what earlier invocations left of them is still collected."""
        first, _, rest = str(error).partition("\n")
        model = tasks[0].task.model.name
        self.errors.append(ReportError(kind=_kind(error), message=first, hint=rest, model=model))
        ran = {(id(one.planned), one.job.id) for one in self.executed}
        for planned in tasks:
            for job in planned.jobs():
                if (id(planned), job.id) not in ran:
                    folder = job_folder(self.rundir, planned, job.id)
                    outcome = not_launched(
                        job,
                        model=planned.task.model.name,
                        folder=folder,
                        reason=first,
                        failed_marker=self.failed_marker,
                    )
                    self.executed.append(Executed(planned, job, outcome, never_started=True))


def _doors(*connections: Connection) -> tuple[Door, ...]:
    return tuple(connection.door for connection in connections if connection.door is not None)


@contextmanager
def _passed_on(first: StopSignal, then: StopSignal) -> Iterator[None]:
    """What stops ``first`` stops ``then`` too."""
    with forward(first.event, lambda: then.stop(first.cause or "interrupted", first.reason)):
        yield


def _scores_locally(tasks: Sequence[PlannedTask]) -> bool:
    """Whether a local model is wanted by a backend that asks for likelihoods, and does not load it itself."""
    return any(planned.task.model.local and planned.backend.route == "direct" for planned in tasks)


def _kind(error: BridgeError) -> ErrorKind:
    match error:
        case Interrupted():
            return ErrorKind.INTERRUPTED
        case EnvError():
            return ErrorKind.ENV
        case _:
            return ErrorKind.SERVE
