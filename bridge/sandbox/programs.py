"""Short Python programs with tests, one after the other, each from a warm interpreter in a room of its own.

    with Programs() as programs:
        programs.run(Program("def double(n):\\n    return 2 * n", "assert double(2) == 4")).passed

What a program does cannot reach the next one: it has its own processes, memory, ``/tmp``, and no network, and all of it
is gone before the verdict is out. Standard library only, the same order of sets and dicts in every run.
"""

from __future__ import annotations

import json
import select
import subprocess
import tempfile
import time
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, Self

from bridge.sandbox.room import Room, command, python

MIB = 1 << 20
_START_S = 60.0
_GRACE_S = 20.0
"""How much longer than a program its server may take."""
_ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}


@dataclass(frozen=True, slots=True)
class Program:
    """Text that is run, and text that is run after it, in the same names: passed is what raises nothing in either."""

    source: str
    tests: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one program may use."""

    cpu_s: int = 4
    wall_s: float = 8.0
    """Longer than the CPU's time, so that a busy machine makes no right program wrong."""
    memory_bytes: int = 1024 * MIB
    """Of all its processes together."""
    processes: int = 64
    scratch_bytes: int = 64 * MIB
    """In ``/tmp``, and in any one file."""

    def order(self) -> dict[str, Any]:
        return {
            "wall_s": self.wall_s,
            "memory_bytes": self.memory_bytes,
            "scratch_bytes": self.scratch_bytes,
            "limits": {
                "memory_bytes": self.memory_bytes,
                "cpu_s": self.cpu_s,
                "processes": self.processes,
                "file_bytes": self.scratch_bytes,
                "open_files": 256,
            },
        }


@dataclass(frozen=True, slots=True)
class Ran:
    passed: bool
    reason: str
    """Why not, in one line; empty where it has passed."""
    wall_s: float
    cpu_s: float


class SandboxBroken(Exception):
    """There is no verdict, through no fault of the program; one line."""


class _Died(Exception):
    """The server is gone, or does not answer."""


class Programs:
    """One server, used by one thread; for each core one of these. A context manager.

    ``confined`` False: without a sandbox, for those who know what they do.
    """

    def __init__(self, allowed: Allowed = Allowed(), *, confined: bool = True) -> None:
        self._order = allowed.order()
        self._patience_s = allowed.wall_s + _GRACE_S
        self._confined = confined
        self._server: subprocess.Popen[bytes] | None = None
        self._separate = True
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._words.close()

    def run(self, program: Program) -> Ran:
        """The verdict. Raises SandboxBroken where the sandbox, and not the program, is why there is none."""
        for _ in range(2):
            try:
                return self._ask(program)
            except _Died:
                continue
        try:
            alive = self._ask(Program("", "")).passed
        except _Died as died:
            raise SandboxBroken(f"the sandbox does not work any more: {died}") from None
        if not alive:
            raise SandboxBroken("the sandbox does not work any more: an empty program fails in it")
        return Ran(False, "ended the sandbox that it ran in, twice", 0.0, 0.0)

    def warm_up(self) -> None:
        """Starts the server, where it does not run. Raises SandboxBroken."""
        try:
            self._running()
        except _Died as died:
            raise SandboxBroken(f"the sandbox could not be started: {died}") from None

    def _ask(self, program: Program) -> Ran:
        server = self._running()
        texts = [text.encode("utf-8", "surrogatepass") for text in (program.source, program.tests)]
        order = {**self._order, "program": len(texts[0]), "tests": len(texts[1])}
        assert server.stdin is not None
        try:
            server.stdin.write(b"".join([json.dumps(order).encode(), b"\n", *texts]))
            server.stdin.flush()
        except OSError:
            raise self._died() from None
        answer = self._read(server, self._patience_s)
        if not self._separate:
            self._end()
        if "broken" in answer:
            raise SandboxBroken(f"the sandbox failed: {answer['broken']}")
        return Ran(**answer)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._server is not None and self._server.poll() is None:
            return self._server
        self._end()
        argv = python("serve", "-s", "-P")
        if self._confined:
            argv = command(Room("system", nobody=True), argv)
        pipe = subprocess.PIPE
        self._words.seek(0)
        self._words.truncate()
        self._server = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=self._words, env=_ENV, cwd="/")
        self._separate = bool(self._read(self._server, _START_S)["separate"])
        return self._server

    def _read(self, server: subprocess.Popen[bytes], limit_s: float) -> dict[str, Any]:
        """The next line. Raises _Died, with the server ended, where none comes in time."""
        assert server.stdout is not None
        until, line = time.monotonic() + limit_s, b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([server.stdout], [], [], max(0.0, until - time.monotonic()))
            chunk = server.stdout.read1(1 << 16) if ready else b""  # type: ignore[attr-defined]
            if not chunk:
                raise self._died()
            line += chunk
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _died(self) -> _Died:
        self._end()
        self._words.seek(0)
        said = self._words.read().decode(errors="replace").strip().splitlines()
        return _Died(said[-1] if said else "its server is gone")

    def _end(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        server.kill()
        server.wait()
        for stream in (server.stdin, server.stdout):
            if stream is not None:
                # What was not sent any more is of no use.
                try:
                    stream.close()
                except OSError:
                    continue
