"""Runs a program: argv in, exit code and log out.  Nothing that it started is left when this returns.

The program runs under ``watchdog``, a process of its own that ends the whole tree when it is told to, and also when
bridge is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessExit:
    """How a program ended."""

    exit_code: int | None
    """None where a signal ended it. 126 and 127, with the reason in the log: it could not be started."""
    signal: int | None
    timed_out: bool
    stopped: bool
    """``stop`` was set while it ran."""
    duration_s: float
    cpu_s: float
    """User and system time of the program and of all that it started."""
    log_tail: tuple[str, ...]
    """The last lines that it wrote."""

    @property
    def ok(self) -> bool:
        """It ended by itself, with exit code 0."""
        return self.exit_code == 0 and not self.timed_out and not self.stopped


async def run_process(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    timeout_s: float | None = None,
    stop: asyncio.Event | None = None,
    on_line: Callable[[str], None] | None = None,
    grace_s: float = 5.0,
) -> ProcessExit:
    """Runs ``argv`` and waits for it; its stdout and stderr are appended to ``log``.

    After ``timeout_s``, when ``stop`` is set and on cancellation the whole tree gets TERM, and ``grace_s`` later KILL.
    ``on_line`` gets each line of the log as it comes.
    """
    raise NotImplementedError


def clean_env(job_env: Mapping[str, str], pass_env: Sequence[str] = ()) -> dict[str, str]:
    """A small environment: what any program needs, the variables named in ``pass_env``, and ``job_env`` over both."""
    raise NotImplementedError
