"""``bridge arena import``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.converted import hand_over
from bridge.cli.ending import ended
from bridge.errors import Problem, SpecError

FORMS = "fastchat, arena-hard, alpaca-eval, lmarena, evalscope or battles"


@ended
def command(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help=f"{FORMS}.")],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The other tool's file or folder.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PATH", help="The new arena's folder (default: runs/…); of a spec, FILE."
        ),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="MODEL", help="The model that all others are measured against.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: report, status, exit_code.")] = False,
) -> int:
    """Bring in another tool's battles and rate them; or turn EvalScope's YAML of 2024 into a spec.

    The verdicts are taken as they are, nobody is asked. What cannot be carried over is told on stderr.
    """
    from bridge.native.arena.formats.evalscope import is_config

    if not path.exists():
        raise SpecError([Problem(str(path), "", "is not there", "give the other tool's file or folder")])
    if form == "evalscope" and is_config(path):
        _spec(path, output)
        return 0
    return _battles(form, path, output, baseline, as_json)


def _battles(form: str, path: Path, output: Path | None, baseline: str | None, as_json: bool) -> int:
    from bridge.arena.imports import import_arena
    from bridge.cli.run import print_outcome
    from bridge.rundir import slug

    folder = output or Path("runs") / slug(f"{form}-{path.resolve().name.partition('.')[0]}")
    report, notes = import_arena(form, path, folder, baseline)
    for note in notes:
        print(f"bridge: {note}", file=sys.stderr)
    print_outcome(report, folder, as_json)
    return report.exit_code


def _spec(path: Path, output: Path | None) -> None:
    from bridge.native.arena.formats.evalscope import convert_file
    from bridge.spec_file.arena import arena_yaml

    made = convert_file(path)
    text = arena_yaml(made.spec, path)
    hand_over(text, made.left_out, output)
