"""What ``run`` does once there is something to do; heavy to import, so only then."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from bridge.collect import Collection
from bridge.endpoint.cache import StoreError
from bridge.errors import OutputError
from bridge.execute import Execution
from bridge.launch import StopSignal
from bridge.manifest import Manifest
from bridge.pins import take_pins, write_pins
from bridge.plan import Plan
from bridge.progress import Watcher
from bridge.report.schema import ErrorKind, Report, ReportError, Status
from bridge.report.write import write_report
from bridge.rundir import RunDir
from bridge.seal import write_seal
from bridge.serve import describe

T = TypeVar("T")


async def run_plan(plan: Plan, rundir: RunDir, manifest: Manifest, watcher: Watcher) -> Report:
    """The pipeline, as a list: environments | serve | gateway | launch | collect | merge | report | pins | seal."""
    collection = Collection(plan, rundir, manifest)
    execution = Execution(plan, rundir, watcher, manifest.failed_marker)
    pending = collection.take_finished()
    with interruptible(execution.interrupt):
        await execution.run(pending)
    collection.take(execution.executed)
    models = [execution.models.get(model.name) or describe(model) for model in plan.spec.all_models]
    report = write_report(rundir, collection.report(models, [*execution.errors, *_stopped(execution)]))
    if report.status is not Status.FAILED:
        write_pins(rundir, take_pins(plan, manifest.bridge_version))
    write_seal(rundir)
    return report


def _stopped(execution: Execution) -> Iterator[ReportError]:
    if execution.interrupt.event.is_set() and all(e.kind is not ErrorKind.INTERRUPTED for e in execution.errors):
        yield ReportError(kind=ErrorKind.INTERRUPTED, message=execution.interrupt.reason)


def errors_of_the_run(report: Report | None) -> list[ReportError]:
    """The errors that the job folders do not tell again."""
    kinds = (ErrorKind.INTERRUPTED, ErrorKind.ENV, ErrorKind.SERVE)
    return [error for error in report.errors if error.kind in kinds] if report else []


@contextmanager
def interruptible(interrupt: StopSignal) -> Iterator[None]:
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
def clear_about_the_disk(rundir: RunDir) -> Iterator[None]:
    """A full or read-only disk is one line, and what is on it stays."""
    try:
        yield
    except StoreError as error:
        raise OutputError(f"{rundir.root}: {error}") from error
    except OSError as error:
        message = f"{error.filename or rundir.root}: {error.strerror or error}; nothing that was written is lost"
        raise OutputError(message) from error


def in_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """Runs it to its end, also where the caller has a running loop (a notebook): then in a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()
