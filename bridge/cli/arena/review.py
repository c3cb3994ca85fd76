"""``bridge arena review``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.ending import ended


@ended
def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of an arena.")],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Who votes; each person under a name.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 0,
) -> None:
    """Open a page to compare answers on, blind: who wrote what is told after the vote.

    Prints the address. Each vote is on disk at once; Ctrl-C ends the page, and the same command goes on.
    """
    from bridge.arena.add import spec_of
    from bridge.arena.review.ballot import Ballot
    from bridge.arena.review.server import serve
    from bridge.native.arena.folder import ArenaFolder

    ballot = Ballot.of(ArenaFolder(run.absolute()), spec_of(run), name)
    before = len(ballot.own)
    serve(ballot, port, lambda address: print(address, flush=True))
    votes = len(ballot.own) - before
    print(f"{votes} new votes by {ballot.annotator}; bridge arena rate {run} makes the ratings with them")
