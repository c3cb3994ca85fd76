"""Scores in processes of their own, each answer within a time limit, without ever holding up a request."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import orjson

from bridge.native.benchmark import Sample, Verdict

START_LIMIT_S = 120.0
_LINE_LIMIT = 1 << 28


class ScoringFailed(Exception):
    """An answer was not scored; one line that says why."""


@dataclass
class _Worker:
    process: asyncio.subprocess.Process

    async def reply(self, limit_s: float) -> dict[str, Any]:
        """The next line. Raises TimeoutError, or EOFError where the process is gone."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), limit_s)
        if not line.endswith(b"\n"):
            raise EOFError
        reply: dict[str, Any] = orjson.loads(line)
        return reply

    def send(self, request: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(orjson.dumps(request) + b"\n")

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


class ScorerPool:
    """Up to ``workers`` processes, started when there is something to score. An async context manager."""

    def __init__(self, benchmarks: Sequence[str], *, workers: int, limit_s: float) -> None:
        self._argv = [sys.executable, "-m", "bridge.native.scorers.worker", str(limit_s), *benchmarks]
        self._limit_s = limit_s
        self._places = asyncio.Semaphore(workers)
        self._idle: list[_Worker] = []
        self._all: set[asyncio.subprocess.Process] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._all:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*(process.wait() for process in self._all))

    async def verdict(self, benchmark: str, answer: str, sample: Sample) -> Verdict:
        """What the benchmark's scorer finds. Raises ScoringFailed where it takes too long, or the process dies."""
        sent = {"target": sample.target, "choices": dict(sample.choices)}
        async with self._places:
            worker = self._idle.pop() if self._idle else await self._start()
            try:
                worker.send({"benchmark": benchmark, "answer": answer, "sample": sent})
                reply = await worker.reply(self._limit_s)
            except TimeoutError:
                await self._end(worker)
                raise ScoringFailed(f"scoring took more than {self._limit_s:g} s") from None
            except (EOFError, ConnectionError):
                await self._end(worker)
                raise ScoringFailed(f"the scoring process ended ({worker.process.returncode})") from None
            except BaseException:
                await self._end(worker)
                raise
            self._idle.append(worker)
        if "failed" in reply:
            raise ScoringFailed(f"the scorer failed: {reply['failed']}")
        return Verdict(reply["extracted"], reply["scores"], reply["method"], reply["remark"])

    async def _start(self) -> _Worker:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*self._argv, stdin=pipe, stdout=pipe, limit=_LINE_LIMIT)
        self._all.add(process)
        worker = _Worker(process)
        try:
            await worker.reply(START_LIMIT_S)
        except (TimeoutError, EOFError):
            await self._end(worker)
            raise ScoringFailed("the scoring process did not start; its reason is in the job's log") from None
        return worker

    async def _end(self, worker: _Worker) -> None:
        await worker.kill()
        self._all.discard(worker.process)
