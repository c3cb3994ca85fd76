"""Holds one program and all that it starts, and ends them: when it is told to, and when bridge is gone.

    python -I -S watchdog.py FD GRACE_S ARGV...

``FD`` is one end of a socket pair; bridge has the other one. When that closes, because bridge wants the program to end
or because bridge was killed, the whole tree gets TERM and, ``GRACE_S`` seconds later, KILL. The kernel gives orphans
of the tree to this process (it is their "subreaper"), so that those are found too that left their process group. A line
of JSON goes to bridge when the program has started, and another one when nothing of it is left. Standard library only:
it is run by its path, and the environment that it sees is the program's.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SETTLE_S = 1.0
"""How long what the program left behind may take to end by itself (such as Python's resource tracker)."""
PARENT_POLL_S = 2.0
GIVE_UP_S = 10.0
"""A process that KILL does not end in this time is stuck in the kernel; nobody can wait for it."""


class Tree:
    """The program and its descendants, all of them below this process."""

    def __init__(self, argv: list[str]) -> None:
        self.status: int | None = None
        self.pid = _start(argv)

    def reap(self) -> bool:
        """Collects who has ended; whether anybody is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.pid:
                self.status = status

    def signal(self, number: int) -> None:
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


def _start(argv: list[str]) -> int:
    watchdog = os.getpid()
    # A signal that comes before the new process has its own handlers is to wait, not to get lost in ours.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        return pid
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != watchdog:
            os._exit(128 + signal.SIGKILL)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, *ENDING):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        os.execvp(argv[0], argv)
    except OSError as error:
        os.write(2, f"cannot start {argv[0]}: {error.strerror}\n".encode())
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def descendants(root: int) -> list[int]:
    """Every process below ``root``, as the kernel lists them now."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name in brackets may hold anything; state and parent come after the last bracket.
                parent = int((entry / "stat").read_bytes().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def watch(tree: Tree, control: socket.socket, wake: int, grace_s: float) -> None:
    """Returns when the program and all that it started are gone."""
    _until_told_or_ended(tree, control, wake)
    if tree.status is not None and not _anybody_left(tree, wake, SETTLE_S):
        return
    tree.signal(signal.SIGTERM)
    if not _anybody_left(tree, wake, grace_s):
        return
    give_up = time.monotonic() + GIVE_UP_S
    while time.monotonic() < give_up:
        tree.signal(signal.SIGKILL)
        if not _anybody_left(tree, wake, 0.05):
            return


def _until_told_or_ended(tree: Tree, control: socket.socket, wake: int) -> None:
    bridge = os.getppid()
    while tree.reap() and tree.status is None:
        ready, _, _ = select.select([control.fileno(), wake], [], [], PARENT_POLL_S)
        if control.fileno() in ready and wake not in ready:
            return
        # A child that bridge forked may hold the other end open.
        if os.getppid() != bridge:
            return
        if wake not in ready:
            continue
        if set(os.read(wake, 4096)) - {signal.SIGCHLD}:
            return


def _anybody_left(tree: Tree, wake: int, wait_s: float) -> bool:
    until = time.monotonic() + wait_s
    while tree.reap():
        left_s = until - time.monotonic()
        if left_s <= 0:
            return True
        if select.select([wake], [], [], left_s)[0]:
            os.read(wake, 4096)
    return False


def _wake_up_fd() -> int:
    """Readable when a child has ended or somebody signals this process; yields the signals' numbers."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, *ENDING):
        signal.signal(number, lambda *_: None)
    return reader


def _tell(control: socket.socket, **message: object) -> None:
    with contextlib.suppress(OSError):
        control.sendall(json.dumps(message).encode() + b"\n")


def main(argv: list[str]) -> None:
    control = socket.socket(fileno=int(argv[0]))
    control.set_inheritable(False)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    wake = _wake_up_fd()
    tree = Tree(argv[2:])
    _tell(control, pid=tree.pid)
    watch(tree, control, wake, float(argv[1]))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    status = -signal.SIGKILL if tree.status is None else os.waitstatus_to_exitcode(tree.status)
    _tell(control, status=status, cpu_s=used.ru_utime + used.ru_stime)


if __name__ == "__main__":
    main(sys.argv[1:])
