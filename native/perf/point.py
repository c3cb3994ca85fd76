"""Runs one load point, in this process or in several, and sums it up."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from bridge.errors import BackendFailed, ServeError
from bridge.native.perf.columns import read_files
from bridge.native.perf.job import PerfJob, point_folder
from bridge.native.perf.prompts import Prompts
from bridge.native.perf.schedule import Point
from bridge.native.perf.share import READY, Running, Tell
from bridge.native.perf.summary import summarise
from bridge.native.perf.watch import Watchful
from bridge.native.perf.wire import Target
from bridge.native.whole import read_whole, write_whole

SUMMARY = "point.json"
SOON_S = 0.1
"""Until the first request: the client has tidied its memory up by then."""
Summary = dict[str, Any]


@dataclass
class Bench:
    """What all load points of a job share."""

    job: PerfJob
    job_file: Path
    target: Target
    prompts: Prompts
    watchful: Watchful
    workers: int = 1
    running: Running | None = None
    """The share of this process, while there is one."""
    children: tuple[asyncio.subprocess.Process, ...] = ()
    interrupted: str = ""

    @property
    def folder(self) -> Path:
        return self.job_file.parent

    def interrupt(self, why: str) -> None:
        self.interrupted = why
        if self.running is not None:
            self.running.driver.stop(why)
        for child in self.children:
            child.terminate()

    def earlier(self, point: Point) -> Summary | None:
        """The point as an earlier invocation has measured it to its end, if anything was answered."""
        found = read_whole(point_folder(self.folder, point) / SUMMARY)
        return found if found.get("state") == "done" and found["counts"]["good"] else None

    async def measure(self, point: Point, tell: Tell) -> Summary:
        """Raises ServeError where the server cannot be reached at all, BackendFailed, and OSError of the disk."""
        folder = point_folder(self.folder, point)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        workers = min(self.workers, point.most_in_flight)
        noticed = await (self._alone(point, folder, tell) if workers == 1 else self._together(point, folder, workers))
        columns = read_files(sorted(folder.glob("requests-*.jsonl")))
        found = summarise(point, columns, noticed, self.job.perf, self.prompts.lengths.source)
        stopped = self.interrupted or next((one["stopped"] for one in noticed if one["stopped"]), "")
        found |= {"state": "broken" if stopped else "done", "stopped": stopped, "workers": workers}
        write_whole(folder / SUMMARY, found)
        return found

    async def _alone(self, point: Point, folder: Path, tell: Tell) -> list[dict[str, Any]]:
        self.running = Running(self.job, point, self.prompts, self.target, self.watchful, folder)
        try:
            await self.running.driver.prepare()
            return [await self.running.run(time.perf_counter() + SOON_S, tell)]
        finally:
            self.running = None

    async def _together(self, point: Point, folder: Path, workers: int) -> list[dict[str, Any]]:
        told = {"job": str(self.job_file), "point": asdict(point), "lengths": asdict(self.prompts.lengths)}
        argv = [sys.executable, "-m", "bridge.native.perf.share", str(folder)]
        pipe = asyncio.subprocess.PIPE
        self.children = tuple(
            [
                await asyncio.create_subprocess_exec(*argv, str(at), str(workers), stdin=pipe, stdout=pipe)
                for at in range(workers)
            ]
        )
        try:
            for child in self.children:
                _say(child, orjson.dumps(told))
            await asyncio.gather(*(_ready(child) for child in self.children))
            start = str(time.perf_counter() + 2 * SOON_S).encode()
            for child in self.children:
                _say(child, start)
            codes = await asyncio.gather(*(child.wait() for child in self.children))
        finally:
            for child in self.children:
                if child.returncode is None:
                    child.kill()
                    await child.wait()
            self.children = ()
        noticed = [read_whole(folder / f"watch-{at}.json") for at in range(workers)]
        if any(codes) or {} in noticed:
            raise BackendFailed(f"{point.id}: a worker ended with exit code {next(filter(None, codes), 0)}")
        return noticed


def _say(child: asyncio.subprocess.Process, line: bytes) -> None:
    assert child.stdin is not None
    child.stdin.write(line + b"\n")


async def _ready(child: asyncio.subprocess.Process) -> None:
    assert child.stdout is not None
    said = (await child.stdout.readline()).decode().strip()
    if said == READY:
        return
    code = await child.wait()
    if code == ServeError.exit_code:
        raise ServeError(said)
    raise BackendFailed(f"a worker ended with exit code {code}" + (f": {said}" if said else ""))
