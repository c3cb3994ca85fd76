"""Runs the planned tasks: environments side by side, then model by model serve | gateway | launch → Outcomes."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bridge.backend import Endpoint, EnvSpec
from bridge.collect import Executed
from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import Client
from bridge.endpoint.gateway import Gateway
from bridge.envs import ensure
from bridge.errors import BridgeError, EnvError, Interrupted
from bridge.launch import StopSignal, digest, launch, not_launched
from bridge.observe import Observer
from bridge.plan import Plan, PlannedTask
from bridge.progress import Watcher
from bridge.report.schema import ErrorKind, ModelInfo, ReportError
from bridge.rundir import RunDir
from bridge.serve import Served, environment_of, serve
from bridge.spec import ModelSpec

T = TypeVar("T")


@dataclass
class Execution:
    """One invocation's work: the tasks that are not yet complete."""

    plan: Plan
    rundir: RunDir
    watcher: Watcher
    executed: list[Executed] = field(default_factory=list)
    models: dict[str, ModelInfo] = field(default_factory=dict)
    errors: list[ReportError] = field(default_factory=list)
    interrupt: StopSignal = field(default_factory=lambda: StopSignal(asyncio.Event()))
    _environments: dict[str, asyncio.Task[Path]] = field(default_factory=dict)

    async def run(self, pending: Sequence[PlannedTask]) -> None:
        """Runs the pending tasks to an end; what fails is in ``errors`` and in the outcomes."""
        by_model = [(model, [p for p in pending if p.task.model is model]) for model in self.plan.spec.all_models]
        self._start_environments(pending)
        try:
            for model, tasks in by_model:
                if tasks:
                    await self._run_model(model, tasks)
        finally:
            await self._stop_environments()

    def folder(self, planned: PlannedTask, job_id: str) -> Path:
        several = len(self.plan.spec.all_models) > 1
        return self.rundir.job(job_id, planned.task.model.name if several else None)

    def _start_environments(self, pending: Sequence[PlannedTask]) -> None:
        for spec in [p.backend.env for p in pending] + [environment_of(p.task.model) for p in pending]:
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
        return await self._unless_interrupted(asyncio.shield(self._environments[spec.name]))

    async def _run_model(self, model: ModelSpec, tasks: Sequence[PlannedTask]) -> None:
        try:
            python = await self._python(environment_of(model))
            await self._with_server(model, tasks, python)
        except Interrupted as error:
            self._give_up(tasks, ErrorKind.INTERRUPTED, error)
        except EnvError as error:
            self._give_up(tasks, ErrorKind.ENV, error)
        except BridgeError as error:
            self._give_up(tasks, ErrorKind.SERVE, error)

    def _give_up(self, tasks: Sequence[PlannedTask], kind: ErrorKind, error: BridgeError) -> None:
        """No job of these tasks can run (any more); what earlier invocations left is still collected."""
        first, _, rest = str(error).partition("\n")
        model = tasks[0].task.model.name
        self.errors.append(ReportError(kind=kind, message=first, hint=rest, model=model))
        done = {(e.planned.backend.name, e.job.id) for e in self.executed if e.planned.task.model.name == model}
        for planned in tasks:
            for job in planned.jobs():
                if (planned.backend.name, job.id) not in done:
                    folder = self.folder(planned, job.id)
                    outcome = not_launched(job, model=model, folder=folder, reason=first)
                    self.executed.append(Executed(planned, job, outcome, never_started=True))

    async def _with_server(self, model: ModelSpec, tasks: Sequence[PlannedTask], python: Path) -> None:
        stop = StopSignal(asyncio.Event())
        async with contextlib.AsyncExitStack() as stack:
            served = await self._unless_interrupted(stack.enter_async_context(self._served(model, python)))
            self.models[model.name] = served.info
            stack.enter_context(_forward(self.interrupt.event, lambda: stop.stop("interrupted", self.interrupt.reason)))
            stack.enter_context(_forward(served.died, lambda: stop.stop("endpoint", " ".join(served.reason))))
            gateway = await stack.enter_async_context(self._gateway(model, tasks, served, stop))
            observer = Observer(self.watcher, gateway)
            stack.enter_context(observer.watching())
            await self._launch_all(tasks, served, gateway, stop, observer)

    @asynccontextmanager
    async def _served(self, model: ModelSpec, python: Path) -> AsyncIterator[Served]:
        name = f"model {model.name}"

        def progress(line: str) -> None:
            self.watcher.stage(name, "running", line)

        log = self.rundir.serve_log(model.name)
        concurrency = self.plan.spec.concurrency
        async with serve(model, python=python, concurrency=concurrency, log=log, progress=progress) as served:
            self.watcher.stage(name, "done", served.base_url)
            yield served

    @asynccontextmanager
    async def _gateway(
        self, model: ModelSpec, tasks: Sequence[PlannedTask], served: Served, stop: StopSignal
    ) -> AsyncIterator[Gateway | None]:
        """The gateway that this model's foreign backends share; None where all of them are native."""
        shares = [planned.task.concurrency for planned in tasks if planned.backend.route == "gateway"]
        if not shares:
            yield None
            return
        spec = self.plan.spec
        with RequestStore(self.rundir.requests) as store:
            client = Client(
                served.base_url,
                api_key=served.api_key,
                store=store,
                concurrency=sum(shares),
                max_retries=spec.max_retries,
                timeout_s=spec.request_timeout_s,
                model=model.name,
                served_model=served.model,
                identity=served.identity,
            )
            async with client, Gateway(client, token=secrets.token_urlsafe(24), failed_marker=_marker()) as gateway:
                with _forward(client.down, lambda: stop.stop("endpoint", client.down_reason)):
                    yield gateway

    async def _launch_all(
        self,
        tasks: Sequence[PlannedTask],
        served: Served,
        gateway: Gateway | None,
        stop: StopSignal,
        observer: Observer,
    ) -> None:
        work = [self._launch_task(planned, served, gateway, stop, observer) for planned in tasks]
        await asyncio.gather(*work)

    async def _launch_task(
        self, planned: PlannedTask, served: Served, gateway: Gateway | None, stop: StopSignal, observer: Observer
    ) -> None:
        dry = {job.id: digest(job) for job in planned.jobs()}
        try:
            python = await self._python(planned.backend.env)
        except (EnvError, Interrupted) as error:
            kind = ErrorKind.ENV if isinstance(error, EnvError) else ErrorKind.INTERRUPTED
            self._give_up([planned], kind, error)
            return
        for job_id, job_digest in dry.items():
            endpoint = _endpoint(planned, job_id, served, gateway)
            job = next(job for job in planned.jobs(endpoint) if job.id == job_id)
            folder = self.folder(planned, job.id)
            if gateway is not None and planned.backend.route == "gateway":
                share = planned.task.concurrency
                gateway.register(job.id, on_failure=planned.backend.on_failed_request, concurrency=share)
            with observer.job(planned, job, folder):
                outcome = await launch(
                    job,
                    model=planned.task.model.name,
                    python=python,
                    folder=folder,
                    job_digest=job_digest,
                    stop=stop,
                    failed_marker=endpoint.failed_marker,
                )
            self.executed.append(Executed(planned, job, outcome))

    async def _unless_interrupted(self, work: Coroutine[Any, Any, T] | asyncio.Future[T]) -> T:
        """The result of ``work``; Interrupted, with ``work`` cancelled, where the user stops the run first."""
        task = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self.interrupt.event.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise Interrupted(self.interrupt.reason)
        finally:
            stopped.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


def _endpoint(planned: PlannedTask, job_id: str, served: Served, gateway: Gateway | None) -> Endpoint:
    model = planned.task.model.name
    if planned.backend.route == "gateway" and gateway is not None:
        return Endpoint(gateway.job_url(job_id), model, api_key=gateway.token, failed_marker=gateway.failed_marker)
    return Endpoint(
        served.base_url,
        model,
        api_key_env=served.api_key_env,
        served_model=served.model,
        identity=served.identity,
    )


def _marker() -> str:
    """Unlike anything that a model says; of this run alone."""
    return f"[[unanswered-{secrets.token_hex(16)}]]"


@contextmanager
def _forward(event: asyncio.Event, then: Callable[[], None]) -> Iterator[None]:
    """Calls ``then`` when the event is set, for as long as the block runs."""

    async def wait() -> None:
        await event.wait()
        then()

    task = asyncio.create_task(wait())
    try:
        yield
    finally:
        task.cancel()
