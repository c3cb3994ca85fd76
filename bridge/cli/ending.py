"""How a command ends: each error as one line on stderr, and the exit code that belongs to it."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec

import typer

from bridge.errors import BridgeError, SpecError

P = ParamSpec("P")

MOST_PROBLEMS = 40
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
SHORTEST_SECRET = 8
EXIT_BUG = 1
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
"""As of any program that the shell ends for writing to a pipe that nobody reads."""


def ended(command: Callable[P, int | None]) -> Callable[P, None]:
    """The command, ending with its exit code whatever happens in it."""

    @functools.wraps(command)
    def to_its_end(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs) or 0
            sys.stdout.flush()
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except BrokenPipeError:
            # Python flushes stdout once more when it ends, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = EXIT_BROKEN_PIPE
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - this is the top
            code = exit_code(error)
            tell(error)
        raise typer.Exit(code)

    return to_its_end


def exit_code(error: BaseException) -> int:
    if isinstance(error, BridgeError):
        return error.exit_code
    return EXIT_INTERRUPTED if isinstance(error, KeyboardInterrupt) else EXIT_BUG


@contextmanager
def failure_as_json(as_json: bool) -> Iterator[None]:
    """What fails in the block is told as JSON on stdout too, where JSON was asked for."""
    try:
        yield
    except Exception as error:
        if as_json:
            print_json(None, "failed", exit_code(error), messages(error))
        raise


def print_json(report: Path | None, status: str, code: int, errors: list[str]) -> None:
    """The end of a command as one JSON object on stdout; ``report`` is null where there is none."""
    import json

    path = None if report is None else str(report.absolute())
    print(json.dumps({"report": path, "status": status, "exit_code": code, "errors": errors}))


def messages(error: BaseException) -> list[str]:
    """One line for each thing that is wrong."""
    if isinstance(error, SpecError):
        told = [str(problem) for problem in error.problems[:MOST_PROBLEMS]]
        more = len(error.problems) - len(told)
        return [*told, f"… and {more} more"] if more else told
    if isinstance(error, BridgeError):
        return [str(error)]
    if isinstance(error, KeyboardInterrupt):
        return ["interrupted"]
    return [f"this is a bug in bridge: {type(error).__name__}: {error} (the traceback is in {_kept(error)})"]


def tell(error: BaseException) -> None:
    """The error's lines on stderr; with ``--debug`` where it comes from, too."""
    if os.environ.get("BRIDGE_DEBUG"):
        import traceback

        print(without_secrets("".join(traceback.format_exception(error))), file=sys.stderr)
    for line in messages(error):
        print(f"bridge: {without_secrets(line)}", file=sys.stderr)


def without_secrets(text: str) -> str:
    """``text`` with the name in place of the value of every variable that holds a key, as its name says."""
    for name, value in os.environ.items():
        if len(value) >= SHORTEST_SECRET and SECRET.search(name):
            text = text.replace(value, f"${{{name}}}")
    return text


def _kept(error: BaseException) -> str:
    """Writes the traceback to a file that can be sent along with a report."""
    import tempfile
    import traceback

    try:
        with tempfile.NamedTemporaryFile("w", prefix="bridge-", suffix=".log", delete=False, encoding="utf-8") as file:
            file.write(without_secrets("".join(traceback.format_exception(error))))
            return file.name
    except OSError:
        return "nowhere, for want of a folder to write to: use --debug"
