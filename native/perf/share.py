"""One process's share of a load point; the whole of it where there is one process.

Another process gets it as ``python -m bridge.native.perf.share FOLDER SHARE OF``: the point on stdin, then, when all
have said that they are ready, the time to begin (CLOCK_MONOTONIC is one for the whole machine).
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from bridge.errors import BackendFailed, BridgeError
from bridge.native.perf.job import API_KEY_NAME_ENV, BASE_URL_ENV, PerfJob, read_job
from bridge.native.perf.load import Driver
from bridge.native.perf.prompts import Lengths, Prompts
from bridge.native.perf.record import Record
from bridge.native.perf.schedule import Point
from bridge.native.perf.watch import Watch, Watchful
from bridge.native.perf.wire import Target, look_up, reaching
from bridge.native.whole import write_whole

BUFFER_BYTES = 1 << 20
TELL_EVERY_S = 1.0
READY = "ready"
Tell = Callable[[dict[str, Any]], None]


async def target_of() -> Target:
    """Raises ServeError where the server's host has no address."""
    key = os.environ.get(os.environ.get(API_KEY_NAME_ENV) or "")
    with reaching():
        return await look_up(os.environ[BASE_URL_ENV], key or None)


def prompts_of(job: PerfJob, lengths: Lengths) -> Prompts:
    prompts = Prompts(job.perf.prompts, job.perf.output, job.served_model, lengths, job.perf.seed)
    prompts.prepare()
    return prompts


def be_quick() -> None:
    """A client that waits for the CPU measures its own waiting: first in the queue, where that is allowed."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)


def allow_files() -> int:
    """As many open files as this process may have; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Running:
    """A share under way."""

    def __init__(
        self,
        job: PerfJob,
        point: Point,
        prompts: Prompts,
        target: Target,
        watchful: Watchful,
        folder: Path,
        share: int = 0,
        of: int = 1,
    ) -> None:
        self._folder, self._share, self._subset = folder, share, point.id
        self._model = job.model
        self.watch = Watch()
        self.driver = Driver(point, job.perf, prompts, target, self.watch, watchful, self._write, share, of)

    def _write(self, record: Record) -> None:
        self._file.write(record.line(self._model, self._subset))

    async def run(self, start: float, tell: Tell | None = None) -> dict[str, Any]:
        """To its end; what the process noticed about itself is returned and written down."""
        telling = asyncio.create_task(self._tell(tell)) if tell else None
        try:
            with (self._folder / f"requests-{self._share}.jsonl").open("wb", BUFFER_BYTES) as self._file:
                await self.driver.run(start)
        finally:
            if telling:
                telling.cancel()
        noticed = {**self.watch.summary(), "counts": asdict(self.driver.counts), "stopped": self.driver.stopped}
        write_whole(self._folder / f"watch-{self._share}.json", noticed)
        return noticed

    async def _tell(self, tell: Tell) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            tell(asdict(self.driver.counts))


# In a process of its own ----------------------------------------------------------------------------------------


def main(arguments: list[str]) -> None:
    folder, share, of = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    told = orjson.loads(sys.stdin.readline())
    be_quick()
    allow_files()
    watchful = Watchful()
    try:
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(watchful)) as runner:
            runner.run(_share(read_job(Path(told["job"])), told, folder, share, of, watchful))
    except (BridgeError, OSError) as error:
        sys.stdout.write(f"{error}\n")
        sys.exit(error.exit_code if isinstance(error, BridgeError) else BackendFailed.exit_code)


async def _share(job: PerfJob, told: dict[str, Any], folder: Path, share: int, of: int, watchful: Watchful) -> None:
    point, lengths = Point(**told["point"]), Lengths(**told["lengths"])
    running = Running(job, point, prompts_of(job, lengths), await target_of(), watchful, folder, share, of)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.driver.stop, f"stopped by {number.name}")
    await running.driver.prepare()
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    line = await loop.run_in_executor(None, sys.stdin.readline)
    start = float(line) if line.strip() else time.perf_counter()
    await running.run(start)


if __name__ == "__main__":
    main(sys.argv[1:])
