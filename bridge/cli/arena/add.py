"""``bridge arena add``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.arena.run import AsJson, Quiet, told
from bridge.cli.ending import ended
from bridge.errors import Problem, SpecError


@ended
def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of an arena.")],
    model: Annotated[str, typer.Option("--model", metavar="NAME", help="The new model's name.")],
    base_url: Annotated[str | None, typer.Option(metavar="URL", help="Its server, up to /v1.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="The environment variable with its API key.")
    ] = None,
    answers: Annotated[Path | None, typer.Option(metavar="FILE", help="Instead of a server: its answers.")] = None,
    path: Annotated[str | None, typer.Option(metavar="DIR", help="Instead of a server: weights to serve.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Let one more model take part; only its own battles are asked for."""
    from bridge.arena.add import with_model
    from bridge.arena.run import run_arena
    from bridge.cli.progress import watching

    if sum(source is not None for source in (base_url, answers, path)) != 1:
        raise SpecError([Problem("--model", "", "say where it is", "one of --base-url, --answers and --path")])
    spec = with_model(run, model, base_url=base_url, api_key_env=api_key_env, answers=answers, path=path)
    with watching(quiet) as watcher:
        report = run_arena(spec, output=run, watcher=watcher, argv=["bridge", *sys.argv[1:]])
    return told(report, run, quiet=quiet, as_json=as_json, new=False)
