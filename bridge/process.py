"""Runs a program: argv in, exit code and log out.  Nothing that it started is left when this returns.

The program runs under ``watchdog``, a process of its own that ends the whole tree when it is told to, and also when
bridge is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

WATCHDOG = Path(__file__).with_name("watchdog.py")
TAIL_LINES = 40
TAIL_BYTES = 64 * 1024
POLL_S = 0.1
"""How often the log is looked at for new lines."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_CACHE_HOME", "LD_LIBRARY_PATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES", "OMP_NUM_THREADS"),
    *("HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT", "HF_HUB_OFFLINE", "MODELSCOPE_CACHE", "MODELSCOPE_DOMAIN", "NLTK_DATA"),
)
"""What any program may need of its surroundings. No keys: those are handed over by name."""


@dataclass(frozen=True)
class ProcessExit:
    """How a program ended."""

    exit_code: int | None
    """None where a signal ended it; 126 or 127, with the reason in the log: it could not be started."""
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

    def __str__(self) -> str:
        if self.timed_out:
            return f"took longer than its {self.duration_s:.0f} s"
        if self.signal is not None:
            return f"was ended by signal {self.signal} ({signal.Signals(self.signal).name})"
        return f"ended with exit code {self.exit_code}"


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
    ``on_line`` gets each line of the log as it comes. Raises OSError where ``cwd`` or ``log`` cannot be used.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    tail = _LogTail(log, on_line)
    began = time.monotonic()
    watchdog, ours = _start(argv, cwd, env, log, grace_s)
    told = asyncio.create_task(_read_all(ours))
    try:
        ended_by = await _wait(told, stop, timeout_s, tail)
    finally:
        # The watchdog takes the closed end for the order to end the tree, and answers when that is done.
        with contextlib.suppress(OSError):
            ours.shutdown(socket.SHUT_WR)
        answer = await told
        ours.close()
        watchdog.wait()
        status, cpu_s = _read_answer(answer)
    tail.read(to_the_end=True)
    return ProcessExit(
        exit_code=status if status >= 0 else None,
        signal=-status if status < 0 else None,
        timed_out=ended_by == "timeout",
        stopped=ended_by == "stop",
        duration_s=time.monotonic() - began,
        cpu_s=cpu_s,
        log_tail=tail.last_lines(),
    )


def _start(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path, grace_s: float
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    number = theirs.fileno()
    try:
        with theirs, log.open("ab") as sink:
            watchdog = subprocess.Popen(
                [sys.executable, "-I", "-S", str(WATCHDOG), str(number), str(grace_s), *argv],
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                pass_fds=(number,),
                start_new_session=True,
            )
    except OSError:
        ours.close()
        raise
    return watchdog, ours


async def _read_all(ours: socket.socket) -> bytes:
    loop, said = asyncio.get_running_loop(), b""
    while more := await loop.sock_recv(ours, 4096):
        said += more
    return said


async def _wait(
    told: asyncio.Task[bytes], stop: asyncio.Event | None, timeout_s: float | None, tail: _LogTail
) -> Literal["itself", "stop", "timeout"]:
    """Until the program has ended, or is to be ended."""
    stopped = asyncio.create_task((stop or asyncio.Event()).wait())
    following = asyncio.create_task(tail.follow())
    try:
        await asyncio.wait({told, stopped}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        following.cancel()
        await asyncio.gather(stopped, following, return_exceptions=True)
    if told.done():
        return "itself"
    return "stop" if stop is not None and stop.is_set() else "timeout"


def _read_answer(answer: bytes) -> tuple[int, float]:
    """Exit code, or signal as a negative number, and CPU seconds."""
    messages = [json.loads(line) for line in answer.splitlines()]
    if messages and "status" in messages[-1]:
        return messages[-1]["status"], messages[-1]["cpu_s"]
    # Somebody killed the watchdog. The kernel then kills the program (its parent-death signal), and this its group.
    for message in messages:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(message["pid"], signal.SIGKILL)
    return -signal.SIGKILL, 0.0


class _LogTail:
    """What a program adds to its log; a progress bar's carriage returns end lines too."""

    def __init__(self, log: Path, on_line: Callable[[str], None] | None) -> None:
        self._log = log
        self._on_line = on_line
        self._start = self._at = log.stat().st_size if log.exists() else 0
        self._rest = b""

    async def follow(self) -> None:
        while self._on_line is not None:
            await asyncio.sleep(POLL_S)
            self.read()

    def read(self, *, to_the_end: bool = False) -> None:
        """Hands over the complete lines that are new, and at the end also one without an end."""
        if self._on_line is None:
            return
        with self._log.open("rb") as handle:
            handle.seek(self._at)
            new = handle.read()
        self._at += len(new)
        *lines, self._rest = re.split(rb"[\r\n]+", self._rest + new)
        for line in (*lines, self._rest) if to_the_end else lines:
            if line.strip():
                self._on_line(line.decode(errors="replace").rstrip())

    def last_lines(self) -> tuple[str, ...]:
        with self._log.open("rb") as handle:
            handle.seek(max(self._start, self._log.stat().st_size - TAIL_BYTES))
            lines = re.split(r"[\r\n]+", handle.read().decode(errors="replace"))
        return tuple(line.rstrip() for line in lines if line.strip())[-TAIL_LINES:]


def clean_env(job_env: Mapping[str, str], pass_env: Sequence[str] = ()) -> dict[str, str]:
    """A small environment: what any program needs, the variables named in ``pass_env``, and ``job_env`` over both.

    Nothing of bridge's own Python gets through, and loopback is never asked through a proxy.
    """
    env = {
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        **{name: os.environ[name] for name in INHERITED if name in os.environ},
        "PYTHONSAFEPATH": "1",
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
    }
    past_proxy = [*filter(None, (os.environ.get("NO_PROXY") or os.environ.get("no_proxy", "")).split(",")), *LOOPBACK]
    env["NO_PROXY"] = env["no_proxy"] = ",".join(dict.fromkeys(past_proxy))
    env |= {name: os.environ[name] for name in pass_env if name in os.environ}
    return env | dict(job_env)
