"""A warm Python that forks for each program: ``python … serve``, one request after the other on stdin.

    > {"program": 120, "tests": 80, "wall_s": 10, "memory_bytes": …, "scratch_bytes": …, "limits": {…}}  and both texts
    < {"passed": true, "reason": "", "wall_s": 0.01, "cpu_s": 0.01}      or      < {"broken": "…"}

Says ``{"separate": true}`` first where each program gets namespaces of its own; else it is to be used only once. A
program's processes are all gone before its answer is sent.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import secrets
import select
import signal
import sys
import time
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

from bridge.sandbox.inner import children, namespaces, program
from bridge.sandbox.inner.start import die_first, limit

WARM = (
    *("abc", "array", "ast", "bisect", "cmath", "collections", "contextlib", "copy", "csv", "dataclasses", "datetime"),
    *("decimal", "enum", "fractions", "functools", "hashlib", "heapq", "inspect", "io", "itertools", "json", "math"),
    *("numbers", "operator", "random", "re", "statistics", "string", "struct", "textwrap", "time", "types", "typing"),
    *("unittest", "traceback", "queue", "threading"),
)
"""What programs import most: loaded once."""
SET_UP = b"\0"
"""Said before anything of a program is run: whatever comes after it is the program's doing."""
_SET_UP_S = 10.0
_LOOK_S = 0.05


@dataclass
class Task:
    """One request, and the processes that work on it."""

    order: dict[str, Any]
    source: str
    tests: bytes
    keeper: int = 0
    pidfd: int = -1
    said: bytes = b""
    passed: bytes = b""
    """To be said at the tests' end."""
    reason: str = ""
    code: int | None = None
    """Of the keeper."""


def main(_: list[str]) -> None:
    for name in WARM:
        importlib.import_module(name)
    asked, answers = os.fdopen(os.dup(0), "rb"), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    namespaces.adopt_orphans()
    separate = _can_separate()
    gc.collect()
    gc.freeze()
    _answer(answers, {"separate": separate})
    while line := asked.readline():
        task = _task(json.loads(line), asked)
        try:
            _answer(answers, _run(task, separate))
        except OSError as error:
            children.end_all()
            _answer(answers, {"broken": str(error)})


def _task(order: dict[str, Any], asked: BinaryIO) -> Task:
    return Task(order, asked.read(order["program"]).decode("utf-8", "surrogatepass"), asked.read(order["tests"]))


def _answer(answers: int, message: dict[str, object]) -> None:
    os.write(answers, json.dumps(message).encode() + b"\n")


def _can_separate() -> bool:
    pid = os.fork()
    if not pid:
        with contextlib.suppress(OSError):
            namespaces.separate()
            inside = os.fork()
            if not inside:
                with contextlib.suppress(OSError):
                    namespaces.furnish(1 << 20)
                    os._exit(0)
                os._exit(1)
            os._exit(os.waitstatus_to_exitcode(os.waitpid(inside, 0)[1]))
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _run(task: Task, separate: bool) -> dict[str, object]:
    began, before = time.monotonic(), _children_cpu_s()
    hear, send = os.pipe()
    read, tell = os.pipe()
    task.keeper = os.fork()
    if not task.keeper:
        _begin(task, hear, tell, separate)
    os.close(hear)
    os.close(tell)
    try:
        task.pidfd = os.pidfd_open(task.keeper)
        _watch(task, read, send)
    finally:
        for fd in (read, send, task.pidfd):
            if fd >= 0:
                with contextlib.suppress(OSError):
                    os.close(fd)
        task.code = children.end_all(task.keeper)
    cpu_s = _children_cpu_s() - before
    if not task.said.startswith(SET_UP):
        return {"broken": f"nothing of the program was run: {_broken(task)}"}
    passed = task.said == SET_UP + task.passed
    reason = "" if passed else _reason(task, cpu_s)
    return {"passed": passed, "reason": reason, "wall_s": time.monotonic() - began, "cpu_s": cpu_s}


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _watch(task: Task, read: int, send: int) -> None:
    """Hands over the word and the tests, and returns when there is a verdict, or is none to come."""
    base, waiting = children.own_memory(), _to_hand_over(task)
    os.set_blocking(send, False)
    limit_s, deadline = _SET_UP_S, time.monotonic() + _SET_UP_S
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            task.reason = f"took longer than {limit_s:g} s"
            return
        ready = select.select([read, task.pidfd], [send] if waiting else [], [], min(left, _LOOK_S))
        if read in ready[0]:
            chunk = os.read(read, 4096)
            if not task.said and chunk.startswith(SET_UP):
                limit_s = task.order["wall_s"]
                deadline = time.monotonic() + limit_s
            task.said += chunk
            if not chunk or _is_verdict(task):
                return
        elif task.pidfd in ready[0]:
            return
        elif children.memory(base) > task.order["memory_bytes"]:
            task.reason = f"used more than {task.order['memory_bytes'] >> 20} MiB of memory"
            return
        if waiting and not (waiting := _sent(send, waiting)):
            os.close(send)


def _to_hand_over(task: Task) -> bytes:
    """The word is drawn after the fork, so that a program's memory has it from the pipe alone."""
    word = secrets.token_hex(program.WORD // 2).encode()
    task.passed = program.PASSED + word
    return word + task.tests


def _sent(send: int, waiting: bytes) -> bytes:
    """What is still to be sent."""
    try:
        return waiting[os.write(send, waiting) :]
    except BlockingIOError:
        return waiting
    except BrokenPipeError:
        return b""


def _is_verdict(task: Task) -> bool:
    """Whether it cannot get any better."""
    if not task.said.startswith(SET_UP):
        return False
    said = task.said[len(SET_UP) :]
    if said.startswith(program.FAILED):
        return program.END in said or len(said) >= 4 * program.LONGEST_REASON
    return len(said) >= len(task.passed) or not task.passed.startswith(said)


def _broken(task: Task) -> str:
    """Why a program's processes did not get as far as to run it."""
    said = task.said.decode("utf-8", "replace").replace("\n", " ")
    return said or task.reason or f"exit code {task.code}"


def _reason(task: Task, cpu_s: float) -> str:
    if task.reason:
        return task.reason
    said = task.said[len(SET_UP) :]
    if said.startswith(program.FAILED):
        said = said[1:].partition(program.END)[0]
        return said.decode("utf-8", "replace").replace("\n", " ") or "failed, and says nothing"
    if said:
        return "claimed what is not true before its tests were through"
    code, allowed = task.code or 0, task.order["limits"].get("cpu_s")
    if code == 128 + signal.SIGKILL and allowed is not None and cpu_s >= allowed - 0.5:
        return f"took more than {allowed} s of CPU time"
    how = f"was killed by signal {code - 128}" if 128 < code < 128 + signal.NSIG else "ended itself"
    return f"{how} before its tests were through"


# Around a program -------------------------------------------------------------------------------------------------


def _begin(task: Task, hear: int, tell: int, separate: bool) -> NoReturn:
    try:
        hear, tell = _only(hear, tell)
        _keep(task, hear, tell, separate)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the server has to know of it
        os.write(tell, f"{type(error).__name__}: {error}".encode("utf-8", "replace"))
    finally:
        os._exit(1)


def _keep(task: Task, hear: int, tell: int, separate: bool) -> None:
    """The keeper: namespaces, the first process in them, and in its care the program."""
    os.setsid()
    os.dup2(0, 2)
    namespaces.die_with_parent()
    die_first("1000")
    if not separate:
        os.chdir("/tmp")
        _program(task, hear, tell)
    namespaces.separate()
    first = os.fork()
    if first:
        os._exit(_code(os.waitpid(first, 0)[1]))
    namespaces.die_with_parent()
    namespaces.furnish(task.order["scratch_bytes"])
    namespaces.prctl(namespaces.PR_SET_DUMPABLE, 0)
    pid = os.fork()
    if not pid:
        _program(task, hear, tell)
    os.close(hear)
    os.close(tell)
    while True:
        ended, status = os.wait()
        if ended == pid:
            os._exit(_code(status))


def _only(hear: int, tell: int) -> tuple[int, int]:
    """Closes what is none of the program's business."""
    high = [os.dup2(fd, at) for at, fd in ((201, hear), (202, tell))]
    os.closerange(3, 201)
    os.closerange(203, 1 << 16)
    return os.dup2(high[0], 3), os.dup2(high[1], 4)


def _program(task: Task, hear: int, tell: int) -> None:
    os.closerange(5, 256)
    limit(task.order["limits"])
    namespaces.give_up_rights()
    source, task.tests, task.order = task.source, b"", {}
    os.write(tell, SET_UP)
    program.run(source, hear, tell)


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    main(sys.argv[1:])
