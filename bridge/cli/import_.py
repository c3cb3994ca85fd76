"""``bridge import``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.converted import hand_over
from bridge.cli.ending import ended

CONFIG = "evalscope-config"


@ended
def command(
    source: Annotated[
        str, typer.Argument(metavar="FROM", help="evalscope, lm-eval, inspect, opencompass; or evalscope-config.")
    ],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="What that tool has written; or a task's YAML or JSON.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="The new run's folder (default: runs/…); the spec's file."),
    ] = None,
) -> None:
    """Bring in what another tool has made: its results as a run, or an EvalScope task as a spec.

    Imported results are marked as such, and compare like others. What of a task cannot be carried over is told on
    stderr, key by key.
    """
    if source == CONFIG:
        _import_config(path, output)
    else:
        _import_results(source, path, output)


def _import_results(source: str, path: Path, output: Path | None) -> None:
    from bridge.imports.found import import_run
    from bridge.report.overview import headline
    from bridge.rundir import slug

    folder = output or Path("runs") / slug(f"{source}-{path.resolve().stem}")
    report = import_run(source, path, folder)
    for error in report.errors:
        print(f"bridge: {error.message}", file=sys.stderr)
    print(f"{report.status.value}: {headline(report)}")
    print(folder / "report.html")


def _import_config(path: Path, output: Path | None) -> None:
    from bridge.imports.evalscope_config import convert_file
    from bridge.spec_file import dump_spec, spec_from_mapping

    made = convert_file(path)
    text = dump_spec(spec_from_mapping(made.spec, folder=path.parent))
    hand_over(text, made.left_out, output)
