"""``bridge arena rate``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.ending import ended
from bridge.errors import Problem, SpecError, did_you_mean

STYLES = ("length", "markdown")
TIES = ("half", "davidson")


@ended
def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of an arena, run or imported.")],
    style: Annotated[
        list[str] | None, typer.Option("--style", metavar="NAME", help="Also rate at equal style: length, markdown.")
    ] = None,
    ties: Annotated[
        str | None, typer.Option("--ties", metavar="HOW", help="half: half a win for each; davidson: an outcome.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: report, status, exit_code.")] = False,
) -> int:
    """Make decisions, ratings and the report of an arena again from its battles; asks nobody.

    --style and --ties hold for this time; the spec says what holds otherwise.
    """
    from bridge.arena.report import rate_run, with_rating
    from bridge.cli.run import print_outcome
    from bridge.native.arena.settings import recorded

    problems = [*_unknown("--style", style or [], STYLES), *_unknown("--ties", [ties] if ties else [], TIES)]
    if problems:
        raise SpecError(problems)
    report = rate_run(run, with_rating(recorded(run), style=style or [], ties=ties))
    print_outcome(report, run, as_json)
    return report.exit_code


def _unknown(option: str, given: list[str], allowed: tuple[str, ...]) -> list[Problem]:
    return [
        Problem(option, "", f"there is no {value!r}", did_you_mean(value, allowed) or f"one of: {', '.join(allowed)}")
        for value in given
        if value not in allowed
    ]
