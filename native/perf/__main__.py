"""``python -m bridge.native.perf job.json``: measures the load points of one job, and searches where that is asked.

The same job started again keeps the points that are done. Exit codes: 0 all measured, 7 something is partial,
4 the server cannot be reached, 6 the disk cannot be written to, 130 stopped; see ``bridge.errors``.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from bridge.errors import (
    EXIT_COMPLETE,
    EXIT_PARTIAL,
    BackendFailed,
    BridgeError,
    Interrupted,
    OutputError,
    ServeError,
    SpecError,
)
from bridge.native.perf.job import BASE_URL_ENV, PROGRESS, RESULT, PerfJob, read_job
from bridge.native.perf.lengths import measure_lengths
from bridge.native.perf.point import Bench
from bridge.native.perf.result import result
from bridge.native.perf.schedule import Point, opened, points_of
from bridge.native.perf.search import Search
from bridge.native.perf.share import allow_files, be_quick, prompts_of, target_of
from bridge.native.perf.watch import Watchful
from bridge.native.whole import write_whole
from bridge.perf_spec import LoadSpec, SearchSpec

FILES_BESIDE = 64
"""Open files of a process besides its connections."""
Summary = dict[str, Any]


def main(argv: list[str]) -> int:
    if len(argv) != 1 or BASE_URL_ENV not in os.environ:
        sys.stderr.write(f"usage: {BASE_URL_ENV}=URL python -m bridge.native.perf job.json\n")
        return SpecError.exit_code
    path = Path(argv[0]).absolute()
    be_quick()
    watchful = Watchful()
    try:
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(watchful)) as runner:
            return runner.run(_run(read_job(path), path, watchful))
    except (BridgeError, OSError) as raised:
        error = raised if isinstance(raised, BridgeError) else about_the_disk(raised)
        sys.stderr.write(f"{error}\n")
        with suppress(OSError):
            write_whole(path.parent / "failed.json", {"exit_code": error.exit_code, "message": str(error)})
        return error.exit_code


def about_the_disk(error: OSError) -> OutputError:
    place = f"{error.filename}: " if error.filename else ""
    return OutputError(f"{place}{error.strerror or error}; loads that are done are kept")


async def _run(job: PerfJob, path: Path, watchful: Watchful) -> int:
    points = [point for load in job.perf.load for point in points_of(load)]
    _check_files(job, points)
    target = await target_of()
    prompts = prompts_of(job, await measure_lengths(job, target, watchful))
    workers = job.perf.workers if isinstance(job.perf.workers, int) else 1
    bench = Bench(job, path, target, prompts, watchful, workers)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, bench.interrupt, f"stopped by {number.name}")
    session = Session(bench, len(points))
    for point in points:
        await session.measure(point)
    search = await session.search(job.perf.search) if job.perf.search else None
    return session.end(search)


def _check_files(job: PerfJob, points: list[Point]) -> None:
    """Raises SpecError where a load needs more connections than this process may have open."""
    search = job.perf.search
    most = max(
        [one.most_in_flight for one in points] + [int(search.range[1]) if search and search.over == "closed" else 1]
    )
    workers = job.perf.workers if isinstance(job.perf.workers, int) else 1
    allowed = allow_files()
    if most / workers + FILES_BESIDE > allowed:
        message = f"needs {most} connections, and this process may have {allowed} files open"
        raise SpecError([_problem(message, f"ulimit -n {most + FILES_BESIDE}, or more workers")])


def _problem(message: str, hint: str) -> Any:
    from bridge.errors import Problem

    return Problem("", "perf.load", message, hint)


class Session:
    """The points of one invocation, one after the other."""

    def __init__(self, bench: Bench, planned: int) -> None:
        self._bench = bench
        self._planned = planned
        self._points: dict[str, Summary] = {}
        self._not_measured: list[str] = []
        self._gone: BridgeError | None = None
        """Why nothing more can be measured."""

    async def measure(self, point: Point) -> Summary | None:
        """The point, measured now or earlier; None where that makes no sense any more."""
        if (earlier := self._bench.earlier(point)) is not None:
            self._points[point.id] = earlier
            return earlier
        if self._gone or self._bench.interrupted:
            self._not_measured.append(point.id)
            return None
        try:
            found = await self._bench.measure(point, lambda counts: self._tell(point, counts))
        except (ServeError, BackendFailed, OSError) as error:
            self._gone = about_the_disk(error) if isinstance(error, OSError) else error
            self._not_measured.append(point.id)
            return None
        self._points[point.id] = found
        if found["stopped"].startswith("the server is gone"):
            self._gone = ServeError(found["stopped"])
        self._hire(found)
        return found

    def _hire(self, found: Summary) -> None:
        """``workers: auto``: a strained client gets help for the next point, as far as there are cores."""
        if self._bench.job.perf.workers == "auto" and found["verdict"] != "clean":
            self._bench.workers = min(self._bench.workers + 1, max(1, (os.cpu_count() or 2) - 1))

    async def search(self, spec: SearchSpec) -> dict[str, Any] | None:
        search = Search(spec)
        open_load = next((load for load in self._bench.job.perf.load if load.open), LoadSpec(open=(1.0,)))
        while (load := search.next_load()) is not None:
            point = Point("closed", load) if spec.over == "closed" else opened(open_load, load)
            found = await self.measure(point)
            if found is None or found["state"] != "done":
                gone = str(self._gone or "")
                search.ended = search.ended or gone or self._bench.interrupted or (found and found["stopped"]) or ""
                break
            search.take(load, found)
        return search.answer()

    def end(self, search: dict[str, Any] | None) -> int:
        """Writes the result; returns the exit code. Raises what kept it from measuring anything."""
        bench = self._bench
        if self._gone and not self._points and not bench.interrupted:
            raise self._gone
        reason = bench.interrupted or str(self._gone)
        errors = [
            {
                "kind": "unanswered",
                "message": f"{point}: not measured: {reason}",
                "dataset": "perf",
                "backend": "native",
                "hint": "run the same command again: points that are done are kept",
            }
            for point in self._not_measured
        ]
        points = sorted(self._points.values(), key=lambda one: (one["kind"], one["load"]))
        found = result(bench.job, points, search, errors)
        write_whole(bench.folder / RESULT, found)
        if bench.interrupted:
            return Interrupted.exit_code
        return EXIT_PARTIAL if any(error["kind"] != "warning" for error in found["errors"]) else EXIT_COMPLETE

    def _tell(self, point: Point, counts: dict[str, Any]) -> None:
        """Requests answered so far, and at which of the loads it is."""
        done = [one["counts"] for name, one in self._points.items() if name != point.id]
        place = len(done) + 1
        told = {
            "done": sum(one["sent"] for one in done) + counts.get("finished", 0),
            "stage": f"{point.id} ({place} of {max(self._planned, place)})",
            "failed": sum(one["sent"] - one["good"] for one in done) + counts.get("failed", 0),
        }
        write_whole(self._bench.folder / PROGRESS, told)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    gc.freeze()  # what is left needs no search for cycles
    sys.exit(code)
