"""``bridge arena agree``"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.columns import columns
from bridge.cli.ending import ended
from bridge.errors import OutputError
from bridge.report.text import plural


@ended
def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of an arena.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")] = False,
) -> None:
    """Say how far judges and people agree, each with each, on the comparisons that both have a verdict on.

    A judge whose two orders disagree counts as saying "tie".
    """
    from bridge.native.arena.folder import ArenaFolder
    from bridge.native.arena.present import about_now
    from bridge.native.arena.voices import agreed, voices

    folder = ArenaFolder(run)
    battles = list(folder.all_battles())
    now = about_now(folder, battles)
    if left := len(battles) - len(now):
        print(f"bridge: {plural(left, 'vote')} left out: the answers they are about have changed", file=sys.stderr)
    said = voices(now)
    if not said:
        raise OutputError(f"{run}: nobody has judged two answers here; give the folder of a pairwise arena")
    found = {(one, other): agreed(said[one], said[other]) for one, other in combinations(sorted(said), 2)}
    if as_json:
        told = [{"one": one, "other": other, **asdict(what)} for (one, other), what in found.items()]
        print(json.dumps(told, indent=2))
        return
    if not found:
        (name, verdicts) = next(iter(said.items()))
        print(f"{name} is alone, with {len(verdicts)} verdicts; bridge arena review {run} --as NAME adds people's")
        return
    rows = []
    for (one, other), what in found.items():
        kappa = "–" if what.kappa is None else f"{what.kappa:.2f}"
        rows.append((one, other, str(what.n), _share(what.accuracy), _share(what.accuracy_no_ties), kappa))
    print("\n".join(columns(("who", "and", "both judged", "the same", "without ties", "κ"), rows)))


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
