"""``bridge finetuned``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.ending import ended, failure_as_json
from bridge.cli.given import Backend, Overrides
from bridge.errors import Problem, SpecError

if TYPE_CHECKING:
    from bridge.finetuned.choose import Chosen
    from bridge.finetuned.schema import Finetuned
    from bridge.report.schema import Report
    from bridge.spec import TaskSpec

Datasets = Annotated[
    list[str] | None, typer.Option(metavar="NAME…", help="What to evaluate on, up to the next option.")
]
SpecFile = Annotated[
    Path | None, typer.Option(metavar="SPEC", help="Or: a spec file without models, for paths and settings.")
]
BaseModel = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The base's folder, where it is not the one in args.json.")
]
Limit = Annotated[int | None, typer.Option(metavar="N", help="The first N samples of each dataset.")]


@ended
def command(
    output_dir: Annotated[
        Path,
        typer.Argument(metavar="OUTPUT_DIR", help="The training's --output_dir, its vN-… folder, or a checkpoint."),
    ],
    datasets: Datasets = None,
    spec: SpecFile = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(metavar="WHICH", help="best, last, all, or a step. Default: the best, or without one the last."),
    ] = None,
    base: Annotated[bool, typer.Option("--base/--no-base", help="Evaluate the base too, and compare with it.")] = True,
    base_model: BaseModel = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the run; one that exists is gone on with."),
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Compare this metric, not each dataset's primary one.")] = None,
    limit: Limit = None,
    backend: Backend = None,
    overrides: Overrides = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: report, status, exit_code.")] = False,
) -> int:
    """Evaluate what ms-swift has just trained against what it was made of: is it better, and on which samples?

    bridge finetuned output/ --datasets gsm8k arc --limit 200

    The same command again goes on where it stopped. Nothing that the training's args.json names is executed.
    """
    with failure_as_json(as_json):
        refuse_contradictions(spec, datasets, limit)
        chosen, task = _read(output_dir, checkpoint, base, base_model, spec, datasets, limit, backend, overrides)
        folder = output or Path("runs") / f"{task.name}-{task.sha256()[:8]}"
        report, result = _evaluated(chosen, task, folder, metric, quiet)
    if as_json or not quiet:
        _print(result, report, folder, as_json)
    return report.exit_code


def _read(
    output_dir: Path,
    checkpoint: str | None,
    base: bool,
    base_model: Path | None,
    spec: Path | None,
    datasets: list[str] | None,
    limit: int | None,
    backend: str | None,
    overrides: list[str] | None,
) -> tuple[Chosen, TaskSpec]:
    from bridge.finetuned.choose import choose
    from bridge.finetuned.spec import make_spec
    from bridge.finetuned.training import read_training

    chosen = choose(read_training(output_dir), _named(output_dir, checkpoint), base=base, base_model=base_model)
    task = make_spec(
        chosen, spec_file=spec, datasets=datasets or [], limit=limit, backend=backend, overrides=overrides or []
    )
    return chosen, task


def _evaluated(
    chosen: Chosen, task: TaskSpec, folder: Path, metric: str | None, quiet: bool
) -> tuple[Report, Finetuned]:
    from bridge.cli.progress import watching
    from bridge.finetuned.report import finetuned, write_finetuned
    from bridge.runs import run

    with watching(quiet) as watcher:
        report = run(task, output=folder, watcher=watcher, argv=["bridge", *sys.argv[1:]])
    result = finetuned(chosen, [(folder, report)], metric)
    write_finetuned(result, folder)
    return report, result


def _named(output_dir: Path, checkpoint: str | None) -> str | None:
    """A checkpoint's own folder stands for that checkpoint."""
    name = output_dir.resolve().name
    if not name.startswith("checkpoint-"):
        return checkpoint
    if checkpoint not in (None, name, name.removeprefix("checkpoint-")):
        raise SpecError([Problem("--checkpoint", "", f"{checkpoint} is not {output_dir}", "give one of the two")])
    return name


def refuse_contradictions(spec: Path | None, datasets: list[str] | None, limit: int | None) -> None:
    if spec is None and not datasets:
        raise SpecError([Problem("--datasets", "", "is missing", "name datasets, or give --spec")])
    if spec is not None and datasets:
        raise SpecError([Problem("--datasets", "", "is for a run without --spec", "name them in the spec")])
    if spec is not None and limit is not None:
        raise SpecError([Problem("--limit", "", "is for a run without --spec", "with one: --set limit=…")])


def _print(result: Finetuned, report: Report, folder: Path, as_json: bool) -> None:
    from bridge.cli.run import print_outcome

    print_outcome(report, folder, as_json)
    if as_json:
        return
    from rich.console import Console

    from bridge.finetuned.table import finetuned_table

    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    console.print(finetuned_table(result, folder))
