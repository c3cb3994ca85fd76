"""``bridge watch``"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.ending import ended
from bridge.cli.finetuned import BaseModel, Datasets, Limit, SpecFile, refuse_contradictions
from bridge.cli.given import Backend, Overrides

if TYPE_CHECKING:
    from bridge.finetuned.choose import Chosen
    from bridge.spec import TaskSpec
    from bridge.watch.schema import Entry


@ended
def command(
    output_dir: Annotated[
        Path, typer.Argument(metavar="OUTPUT_DIR", help="The training's --output_dir, or its vN-… folder.")
    ],
    datasets: Datasets = None,
    spec: SpecFile = None,
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Each N-th checkpoint, and the last.")] = 1,
    at_end: Annotated[
        bool, typer.Option("--at-end", help="Only the last checkpoint, when the training is over.")
    ] = False,
    base: Annotated[bool, typer.Option("--base/--no-base", help="Evaluate the base too, once.")] = True,
    base_model: BaseModel = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the runs; default: bridge in the training's."),
    ] = None,
    give_up_s: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="A training that was silent for so long has died.")
    ] = 3600.0,
    until_stdin_closes: Annotated[
        bool, typer.Option("--until-stdin-closes", help="The training is over when stdin ends, and not before.")
    ] = False,
    limit: Limit = None,
    backend: Backend = None,
    overrides: Overrides = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> int:
    """Evaluate each checkpoint of a training as it appears, once and in order, until the training is over.

    bridge watch output/ --datasets gsm8k --limit 200

    Start it before, while or after the model is trained. Killed and started again, it goes on.
    """
    from bridge.cli.progress import watching
    from bridge.watch.due import Wanted
    from bridge.watch.loop import Watch

    refuse_contradictions(spec, datasets, limit)
    with watching(quiet) as watcher:
        return Watch(
            given=output_dir,
            make_task=_task_maker(spec, datasets or [], limit, backend, overrides or []),
            output=output,
            watcher=watcher,
            say=_say_nothing if quiet else _say,
            wanted=Wanted(every, at_end),
            base=base,
            base_model=base_model,
            told_over=_stdin_has_ended if until_stdin_closes else None,
            give_up_s=give_up_s,
        ).follow()


def _task_maker(
    spec: Path | None, datasets: Sequence[str], limit: int | None, backend: str | None, overrides: Sequence[str]
) -> Callable[[Chosen], TaskSpec]:
    """What is evaluated on each checkpoint; read anew each time, as the checkpoints come."""

    def make_task(chosen: Chosen) -> TaskSpec:
        from bridge.finetuned.spec import make_spec

        return make_spec(chosen, spec_file=spec, datasets=datasets, limit=limit, backend=backend, overrides=overrides)

    return make_task


def _say(entry: Entry) -> None:
    print(_line(entry), flush=True)


def _say_nothing(entry: Entry) -> None:
    """Of ``--quiet``."""


def _line(entry: Entry) -> str:
    values = ", ".join(f"{name} {value:.4g}" for name, value in entry.metrics.items())
    return f"{entry.name}: {entry.status}: {' · '.join(filter(None, [values, entry.reason]))}"


def _stdin_has_ended() -> bool:
    """What is written to it is read and forgotten."""
    while select.select([sys.stdin.fileno()], [], [], 0)[0]:
        if not os.read(sys.stdin.fileno(), 4096):
            return True
    return False
