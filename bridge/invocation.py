"""Around whatever a command does: signals, a full disk, a loop of events."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Awaitable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from bridge.endpoint.cache import StoreError
from bridge.errors import Interrupted, OutputError
from bridge.launch import StopSignal
from bridge.rundir import RunDir

T = TypeVar("T")


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


async def unless_stopped(stop: StopSignal, work: Awaitable[T]) -> T:
    """The result of ``work``; Interrupted, with ``work`` cancelled, where the signal comes first."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.event.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Interrupted(stop.reason)
    finally:
        stopped.cancel()
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


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
