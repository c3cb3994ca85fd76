"""``bridge report``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.ending import ended
from bridge.cli.run import print_outcome


@ended
def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: report, status, exit_code.")] = False,
) -> int:
    """Make report.json, report.md and report.html of a run again from its folder; asks the model nothing."""
    from bridge.runs import remake_report

    report = remake_report(run)
    print_outcome(report, run, as_json)
    return report.exit_code
