"""``bridge arena run``"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.ending import ended, failure_as_json
from bridge.cli.given import Overrides
from bridge.cli.run import print_outcome

if TYPE_CHECKING:
    from bridge.report.schema import Report

SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="The arena's spec, a YAML or JSON file.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object: report, status, exit_code.")]


@ended
def command(
    spec: SpecFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the run; one that exists is gone on with."),
    ] = None,
    overrides: Overrides = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask no judge: verdicts are drawn, and marked.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Ask the models, let the judges decide, make the ratings.

    The same command with the same --output goes on where it stopped, and asks only what was not answered. A changed
    spec asks only what is new: another model its own battles, a changed answer the battles that it is in.
    """
    changes = [*(overrides or []), *(["arena.dry_run=true"] if dry_run else [])]
    with failure_as_json(as_json):
        report, folder = _run(spec, changes, output, quiet)
    return told(report, folder, quiet=quiet, as_json=as_json, new=output is None)


def _run(path: Path, overrides: list[str], output: Path | None, quiet: bool) -> tuple[Report, Path]:
    from bridge.arena.run import default_output, run_arena
    from bridge.cli.progress import watching
    from bridge.spec_file.arena import read_arena_spec

    source = read_arena_spec(path, overrides)
    folder = output or default_output(source.spec)
    with source.places_named(), watching(quiet) as watcher:
        return run_arena(source.spec, output=folder, watcher=watcher, argv=["bridge", *sys.argv[1:]]), folder


def told(report: Report, folder: Path, *, quiet: bool, as_json: bool, new: bool) -> int:
    """The end of a run on stdout; returns its exit code."""
    if not quiet or as_json:
        print_outcome(report, folder, as_json)
    if report.exit_code and new and not quiet:
        print(
            f"to go on with this run: {shlex.join(['bridge', *sys.argv[1:], '--output', str(folder)])}", file=sys.stderr
        )
    return report.exit_code
