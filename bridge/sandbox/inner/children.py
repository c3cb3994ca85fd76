"""All processes below this one: what memory they use, and their end."""

from __future__ import annotations

import contextlib
import os
import signal

_PAGE = os.sysconf("SC_PAGE_SIZE")


def own_memory() -> int:
    """Resident bytes of this process, which its forks share with it."""
    return _stat(os.getpid())[1]


def memory(base: int) -> int:
    """Resident bytes of all processes below this one, each without the ``base`` that it shares."""
    return sum(max(0, resident - base) for resident in below().values())


def below() -> dict[int, int]:
    """Process → resident bytes."""
    parents: dict[int, list[int]] = {}
    resident: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent, resident[int(entry.name)] = _stat(int(entry.name))
                parents.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [os.getpid()]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return {pid: resident[pid] for pid in found}


def end_all(first: int = 0) -> int | None:
    """Kills everything below this process, and returns when it is gone; the exit code of ``first``.

    What loses its parent becomes this process's own child, so that nothing gets away.
    """
    code: int | None = None
    if first and (ended := os.waitpid(first, os.WNOHANG))[0]:
        code, first = _code(ended[1]), 0
    targets = [first] if first else []
    while True:
        for pid in targets:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            pid, status = os.waitpid(-1, 0 if targets else os.WNOHANG)
        except ChildProcessError:
            return code
        if pid and pid == first:
            code, first = _code(status), 0
        targets = list(below())


def _stat(pid: int) -> tuple[int, int]:
    """Parent and resident bytes."""
    fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    try:
        # The name in brackets may hold anything; the other fields come after the last bracket.
        fields = os.read(fd, 4096).rpartition(b")")[2].split()
    finally:
        os.close(fd)
    return int(fields[1]), int(fields[21]) * _PAGE


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
