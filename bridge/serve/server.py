"""Starts a model's server, waits until it answers under its one-time name, and ends it with the ``with`` block."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bridge.errors import ServeError
from bridge.process import ProcessExit, run_process
from bridge.serve.probe import NoAnswer, model_ids

POLL_S = 0.25
SAY_EVERY_S = 2.0
PROBE_TIMEOUT_S = 5.0
GRACE_S = 8.0
SHOWN_LINES = 12
_ERROR_LINE = re.compile(r"^\s*(?:[\w.]*(?:Error|Exception|Exit|Interrupt)\b.*|.*out of memory.*)", re.IGNORECASE)


@dataclass(frozen=True)
class Start:
    """How a server is started and recognised."""

    what: str
    """Its name in messages."""
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    host: str
    port: int
    served_names: Sequence[str]
    """Of this start alone: a server that lists them is this one, whoever else is on the port that was asked for."""
    listening: re.Pattern[str]
    """A line of its log that tells the port that it really has."""
    timeout_s: float
    hint: Callable[[Sequence[str]], str]
    """What to do, from the last lines of its log."""


@dataclass
class Running:
    """A server that answers."""

    base_url: str
    start_s: float
    """From its start until it answered."""
    died: asyncio.Event = field(default_factory=asyncio.Event)
    reason: list[str] = field(default_factory=list)


@asynccontextmanager
async def running(start: Start, progress: Callable[[str], None]) -> AsyncIterator[Running]:
    """Raises ServeError where the server dies before it answers, or does not answer in time."""
    stop, port = asyncio.Event(), [start.port]

    def read(line: str) -> None:
        if found := start.listening.search(line):
            port[0] = int(found[1])

    start.log.parent.mkdir(parents=True, exist_ok=True)
    process = asyncio.create_task(
        run_process(
            start.argv, cwd=start.log.parent, env=start.env, log=start.log, stop=stop, on_line=read, grace_s=GRACE_S
        )
    )
    watching: asyncio.Task[None] | None = None
    try:
        began = time.monotonic()
        base_url = await _until_it_answers(start, process, port, progress)
        server = Running(base_url, round(time.monotonic() - began, 1))
        watching = asyncio.create_task(_notice_death(start, process, server))
        yield server
    finally:
        if watching is not None:
            watching.cancel()
        stop.set()
        await asyncio.gather(process, return_exceptions=True)


async def _until_it_answers(
    start: Start, process: asyncio.Task[ProcessExit], port: Sequence[int], progress: Callable[[str], None]
) -> str:
    began = said = time.monotonic()
    progress(f"starting {start.what}")
    while (now := time.monotonic()) - began < start.timeout_s:
        await asyncio.wait({process}, timeout=POLL_S)
        if process.done():
            raise _startup_failure(start, process)
        base_url = f"http://{start.host}:{port[0]}/v1"
        missing = await _not_listed(base_url, start.served_names)
        if not missing:
            return base_url
        if len(missing) < len(start.served_names):
            raise ServeError(f"{start.what} came up without {', '.join(missing)}; see {start.log}")
        if now - said >= SAY_EVERY_S:
            said = now
            progress(f"starting {start.what}, {now - began:.0f} s")
    limit = f"deploy.startup_timeout_s = {start.timeout_s:g} s"
    raise ServeError(f"{start.what} did not answer within {limit}; raise it, or see {start.log}")


def _startup_failure(start: Start, process: asyncio.Task[ProcessExit]) -> ServeError:
    if isinstance(error := process.exception(), OSError):
        return ServeError(f"{start.what} cannot be started: {error.filename}: {error.strerror}")
    return ServeError(_death(start, process.result(), "before it answered"))


async def _not_listed(base_url: str, served_names: Sequence[str]) -> Sequence[str]:
    """Those of the names that nobody who answers there has; all of them where nobody answers."""
    try:
        there = await model_ids(base_url, api_key=None, timeout_s=PROBE_TIMEOUT_S)
    except NoAnswer:
        return served_names
    return [name for name in served_names if name not in there]


async def _notice_death(start: Start, process: asyncio.Task[ProcessExit], server: Running) -> None:
    ended = await asyncio.shield(process)
    server.reason.append(_death(start, ended, "during the run").partition("\n")[0])
    server.died.set()


def _death(start: Start, ended: ProcessExit, when: str) -> str:
    lines = ended.log_tail
    telling = next((line.strip() for line in reversed(lines) if _ERROR_LINE.match(line)), "")
    parts = [f"{start.what} {ended} {when}", telling, start.hint(lines) or f"see {start.log}"]
    shown = [f"  {line}" for line in lines[-SHOWN_LINES:]]
    return "\n".join(["; ".join(filter(None, parts)), "last lines:", *shown, f"log: {start.log}"])
