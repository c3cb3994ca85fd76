"""The process of one program: runs it, then its tests, and proves that their end was reached.

The tests come only when the program itself has run, and with them a word that nobody could know before. What is said
about success without that word is not believed: a program that ends itself, or writes to whatever it finds open, has
not passed. All names that are used after the program has run were bound before it.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable

READY = b"R"
PASSED = b"P"
FAILED = b"F"
END = b"\0"
LONGEST_REASON = 2000
_WORD = 32


def run(source: str, hear: int, tell: int) -> None:
    """Runs ``source``, then the tests that come on ``hear``; says on ``tell`` how it went. Does not return."""
    say, leave, listen, evaluate, translate = os.write, os._exit, _listen, exec, compile
    untrace: tuple[Callable[[None], object], ...] = (sys.settrace, sys.setprofile)
    module = types.ModuleType("program")
    sys.modules["program"] = module
    names = module.__dict__
    try:
        evaluate(translate(source, "program.py", "exec", dont_inherit=True), names)
        say(tell, READY)
        word, tests = listen(hear)
        for undo in untrace:
            undo(None)
        evaluate(translate(tests, "tests.py", "exec", dont_inherit=True), names)
        say(tell, PASSED + word)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the program has not passed
        say(tell, FAILED + _reason(error) + END)
    leave(0)


def _listen(hear: int) -> tuple[bytes, str]:
    read = b""
    while chunk := os.read(hear, 1 << 16):
        read += chunk
    return read[:_WORD], read[_WORD:].decode("utf-8", "surrogatepass")


def _reason(error: BaseException) -> bytes:
    try:
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        line = _line_of(error)
        return f"{text[:LONGEST_REASON]}{line}".encode("utf-8", "replace").replace(END, b" ")
    except BaseException:  # noqa: BLE001 - an exception of the program's own making may do anything
        return b"an exception that cannot be shown"


def _line_of(error: BaseException) -> str:
    """Where in the program or its tests it was raised."""
    place, trace = "", error.__traceback__
    while trace is not None:
        if (name := trace.tb_frame.f_code.co_filename) in ("program.py", "tests.py"):
            place = f" ({name}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place
