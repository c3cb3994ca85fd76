"""The process of one program: runs it, then its tests, and proves that their end was reached.

Success is what returns the server's random word. The word and the tests are read before the program runs. Meanwhile
neither has a name: they wait on the interpreter's stack, as operands of what is done next, where no frame and no object
leads to them. What runs the tests waits there too, so that no name that the program changes is used any more.
"""

from __future__ import annotations

import os
import sys
import types

PASSED = b"P"
FAILED = b"F"
END = b"\0"
LONGEST_REASON = 2000
WORD = 32
"""Bytes."""


def run(source: str, hear: int, tell: int) -> None:
    """Runs ``source``, then the tests that come on ``hear``; says on ``tell`` how it went. Does not return."""
    say, leave = os.write, os._exit
    try:
        say(tell, PASSED + os.read(hear, WORD) + _through(source, hear))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the program has not passed
        say(tell, FAILED + _reason(error) + END)
    finally:
        leave(0)


def _through(source: str, hear: int) -> bytes:
    """Nothing, when program and tests have been run. Raises what they raise."""
    names = _names()
    code = compile(source, "program.py", "exec", dont_inherit=True)
    # One expression; and what traces is gone in the line that ends the program, so that nothing comes between.
    exec(
        compile(
            (_tests(hear), sys.setprofile(sys.settrace(exec(code, names))))[0],  # type: ignore[func-returns-value]
            "tests.py",
            "exec",
            dont_inherit=True,
        ),
        names,
    )
    return b""


def _names() -> dict[str, object]:
    """Of a module that can be imported, as ``pickle`` and ``dataclasses`` do."""
    sys.modules["program"] = types.ModuleType("program")
    return sys.modules["program"].__dict__


def _tests(hear: int) -> str:
    with os.fdopen(hear, "rb") as told:
        return told.read().decode("utf-8", "surrogatepass")


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
