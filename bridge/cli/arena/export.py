"""``bridge arena export``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.ending import ended
from bridge.errors import Problem, SpecError, did_you_mean


@ended
def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of an arena, run or imported.")],
    form: Annotated[
        str, typer.Argument(metavar="FORMAT", help="fastchat, arena-hard, alpaca-eval, lmarena or battles.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PATH", help="The new file, or the new folder.")],
) -> None:
    """Write an arena's battles in the form of another tool; what that has no place for is told on stderr."""
    from bridge.native.arena.formats.export import WRITERS, export
    from bridge.native.arena.settings import recorded

    if form not in WRITERS:
        hint = did_you_mean(form, WRITERS) or f"one of: {', '.join(WRITERS)}"
        raise SpecError([Problem("FORMAT", "", f"there is no form {form!r}", hint)])
    for note in export(run, recorded(run), form, output):
        print(f"bridge: {note}", file=sys.stderr)
    print(output)
