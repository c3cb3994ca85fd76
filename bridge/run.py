"""The pipeline, as a list: plan | environments | serve | gateway | launch | collect | merge | report."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from bridge.collect import Collection
from bridge.endpoint.cache import StoreError
from bridge.errors import OutputError, Problem, SpecError
from bridge.execute import Execution
from bridge.launch import StopSignal
from bridge.manifest import Manifest, begin, read_manifest
from bridge.plan import Plan, make_plan, recorded_plan
from bridge.progress import Silent, Watcher
from bridge.report.schema import ErrorKind, ModelInfo, Report, ReportError, Status
from bridge.report.write import read_report, write_report
from bridge.rundir import RunDir
from bridge.serve import check as check_model
from bridge.spec import ModelSpec, TaskSpec
from bridge.spec_file import dump_spec, recorded_spec

T = TypeVar("T")


def run(
    spec: TaskSpec, *, output: Path | None = None, watcher: Watcher | None = None, argv: Sequence[str] = ()
) -> Report:
    """Runs the spec and returns the report, which is also in the run directory.

    The same spec into the same ``output`` goes on where it stopped and asks only what was not answered. Raises
    SpecError before anything starts and OutputError where the run directory cannot be used; whatever else fails is
    in the report: see ``Report.status``, ``Report.errors`` and ``Report.exit_code``.
    """
    plan = prepare(spec)
    rundir = RunDir((output or default_output(spec)).absolute())
    with rundir.locked(), _clear_about_the_disk(rundir):
        manifest = begin(rundir, plan, dump_spec(spec), argv)
        return _finished(rundir, manifest) or _in_a_loop(_run(plan, rundir, manifest, watcher or Silent()))


def prepare(spec: TaskSpec) -> Plan:
    """The plan, after every check that asks no network and starts nothing. Raises SpecError with all problems."""
    problems: list[Problem] = []
    for index, model in enumerate(spec.all_models):
        problems += check_model(model, field="model" if spec.model else f"models[{index}]")
    try:
        plan = make_plan(spec)
    except SpecError as error:
        raise SpecError([*problems, *error.problems]) from None
    if problems:
        raise SpecError(problems)
    return plan


def remake_report(root: Path) -> Report:
    """Reads a run directory again and writes its report anew; asks nothing and starts nothing."""
    rundir = RunDir(root.absolute())
    manifest = read_manifest(rundir)
    if manifest is None:
        raise OutputError(f"{root}: no run in this folder (there is no manifest.json); give a run's own folder")
    with rundir.locked(), _clear_about_the_disk(rundir):
        earlier = read_report(rundir.report_json) if rundir.report_json.exists() else None
        collection = Collection(recorded_plan(recorded_spec(rundir.spec)), rundir, manifest)
        collection.take_recorded()
        models = earlier.models if earlier else [_described(m) for m in collection.plan.spec.all_models]
        return write_report(rundir, collection.report(models, _of_the_run(earlier)))


def default_output(spec: TaskSpec) -> Path:
    return Path("runs") / f"{spec.name}-{datetime.now():%Y%m%d-%H%M%S}"


async def _run(plan: Plan, rundir: RunDir, manifest: Manifest, watcher: Watcher) -> Report:
    collection = Collection(plan, rundir, manifest)
    execution = Execution(plan, rundir, watcher, manifest.failed_marker)
    pending = collection.take_finished()
    with _interruptible(execution.interrupt):
        await execution.run(pending)
    collection.take(execution.executed)
    models = [execution.models.get(model.name) or _described(model) for model in plan.spec.all_models]
    return write_report(rundir, collection.report(models, [*execution.errors, *_stopped(execution)]))


def _finished(rundir: RunDir, manifest: Manifest) -> Report | None:
    """The report that is there already, where the run is complete."""
    try:
        report = read_report(rundir.report_json)
    except OutputError:
        return None
    whole = report.status is Status.COMPLETE and report.run.spec_sha256 == manifest.spec_sha256
    return report if whole else None


def _stopped(execution: Execution) -> Iterator[ReportError]:
    if execution.interrupt.event.is_set() and all(e.kind is not ErrorKind.INTERRUPTED for e in execution.errors):
        yield ReportError(kind=ErrorKind.INTERRUPTED, message=execution.interrupt.reason)


def _described(model: ModelSpec) -> ModelInfo:
    """The model as the spec has it, where it was not served this time."""
    if model.deploy is None:
        return ModelInfo(name=model.name, source=model.endpoint.base_url if model.endpoint else "", engine="external")
    deploy = model.deploy
    return ModelInfo(name=model.name, source=deploy.path, engine=deploy.engine, adapters=deploy.adapters)


def _of_the_run(report: Report | None) -> list[ReportError]:
    """The errors that the job folders do not tell again."""
    kinds = (ErrorKind.INTERRUPTED, ErrorKind.ENV, ErrorKind.SERVE)
    return [error for error in report.errors if error.kind in kinds] if report else []


@contextmanager
def _interruptible(interrupt: StopSignal) -> Iterator[None]:
    """SIGINT and SIGTERM stop the jobs; the report is still written. A second one has its usual effect."""
    loop = asyncio.get_running_loop()
    caught = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()

    def stop(name: str) -> None:
        interrupt.stop("interrupted", f"stopped by {name}; run the same command again to go on where it stopped")
        _restore()

    def _restore() -> None:
        for number in caught:
            with contextlib.suppress(ValueError):
                loop.remove_signal_handler(number)

    for number in caught:
        loop.add_signal_handler(number, stop, number.name)
    try:
        yield
    finally:
        _restore()


@contextmanager
def _clear_about_the_disk(rundir: RunDir) -> Iterator[None]:
    """A full or read-only disk is one line, and what is on it stays."""
    try:
        yield
    except StoreError as error:
        raise OutputError(f"{rundir.root}: {error}") from error
    except OSError as error:
        message = f"{error.filename or rundir.root}: {error.strerror or error}; nothing that was written is lost"
        raise OutputError(message) from error


def _in_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """Runs it to its end, also where the caller has a running loop (a notebook): then in a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()
