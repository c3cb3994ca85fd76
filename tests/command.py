"""The command line within the test's own process."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

from bridge.cli.main import main


@dataclass(frozen=True)
class Done:
    exit_code: int
    stdout: str
    stderr: str


def bridge(*arguments: object) -> Done:
    """``bridge compare A B`` without its first word."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return Done(code, out.getvalue(), err.getvalue())
