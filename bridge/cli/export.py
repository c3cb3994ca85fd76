"""``bridge export``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.ending import ended


@ended
def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    to: Annotated[
        str,
        typer.Option(
            metavar="FORMAT", help="csv, every_eval_ever, inspect, lm-eval, mlflow, model-card, parquet or wandb."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Default: exports/FORMAT in the run's folder.")
    ] = None,
    meta: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="What the format wants to know besides: docs/export.md. Repeatable."),
    ] = None,
) -> None:
    """Write a run in the format of another tool.

    Prints the files; what the format cannot say is told on stderr.
    """
    from bridge.export.source import export

    files, notes = export(run, to, output, meta or [])
    for note in notes:
        print(f"bridge: {note}", file=sys.stderr)
    for path in files:
        print(path)
