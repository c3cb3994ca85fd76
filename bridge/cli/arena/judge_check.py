"""``bridge arena judge-check``"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.arena.run import Quiet, SpecFile
from bridge.cli.columns import columns
from bridge.cli.ending import ended
from bridge.cli.given import Overrides
from bridge.errors import Problem, SpecError

if TYPE_CHECKING:
    from bridge.arena.judge_check import Measured
    from bridge.native.arena.gold import Pair


@ended
def command(
    spec: SpecFile,
    gold: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Pairs with the better one named; LLMBar's and PandaLM's forms.")
    ] = None,
    human: Annotated[Path | None, typer.Option(metavar="RUN", help="Instead: an arena where people voted.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the first N pairs.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Where to keep what judges said.")
    ] = None,
    overrides: Overrides = None,
    quiet: Quiet = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")] = False,
) -> int:
    """Measure the spec's judges on pairs of which the better answer is known, before money is spent on an arena.

    Each judge is asked about each pair in both orders, with the prompt of the spec.
    """
    from bridge.arena.judge_check import check_judges, to_json
    from bridge.cli.progress import watching
    from bridge.spec_file.arena import read_arena_spec

    source = read_arena_spec(spec, overrides or [])
    pairs, left_out = _pairs(gold, human)
    folder = output or Path("runs") / f"{source.spec.name}-judge-check-{datetime.now():%Y%m%d-%H%M%S}"
    with source.places_named(), watching(quiet) as watcher:
        check = check_judges(source.spec, pairs[:limit], folder, watcher, ["bridge", *sys.argv[1:]])
    if as_json:
        print(json.dumps({**to_json(check), "left_out": left_out, "run": str(folder)}, indent=2))
    elif not quiet:
        print(f"{check.pairs} pairs, each in both orders")
        if left_out:
            why = "an answer is empty or no text" if gold else "the answers that were voted on have changed"
            print(f"{left_out} left out: {why}")
        print("\n".join(columns(_HEAD, [tuple(_cells(judge)) for judge in check.judges])))
    for error in check.errors:
        print(f"bridge: {error.message}", file=sys.stderr)
    return check.exit_code


def _pairs(gold: Path | None, human: Path | None) -> tuple[list[Pair], int]:
    from bridge.arena.judge_check import gold_of_people
    from bridge.native.arena.gold import read_gold

    if (gold is None) == (human is None):
        raise SpecError([Problem("--gold", "", "give one of --gold (a file of pairs) and --human (an arena's folder)")])
    if human is not None:
        return gold_of_people(human)
    assert gold is not None
    found = read_gold(gold)
    return found.pairs, len(found.left_out)


_HEAD = (
    "judge",
    "pairs",
    "right",
    "right, ties half",
    "consistent",
    "right where so",
    "κ truth",
    "first shown",
    "longer",
    "unparsed",
    "failed",
    "USD/1000",
    "s/call",
)


def _cells(judge: Measured) -> Iterator[str]:
    yield judge.judge
    yield str(judge.pairs)
    for share in (judge.accuracy, judge.accuracy_tie_half, judge.consistent, judge.accuracy_consistent):
        yield _share(share)
    yield "–" if judge.kappa_gold is None else f"{judge.kappa_gold:.2f}"
    yield _share(judge.first_position_share)
    yield _share(judge.longer_share)
    yield str(judge.unparsed)
    yield str(judge.failed)
    yield "–" if judge.usd_per_1000 is None else f"{judge.usd_per_1000:,.2f}"
    yield "–" if judge.seconds_per_call is None else f"{judge.seconds_per_call:.2f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
