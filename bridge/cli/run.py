"""``bridge run``"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.ending import ended, failure_as_json, print_json
from bridge.cli.given import ApiKeyEnv, Backend, BaseUrl, Datasets, Given, Limit, Model, Overrides, SpecFile, Unsafe

if TYPE_CHECKING:
    from bridge.report.schema import Report, ReportError


@ended
def command(
    spec: SpecFile = None,
    backend: Backend = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the run; one that exists is gone on with."),
    ] = None,
    overrides: Overrides = None,
    base_url: BaseUrl = None,
    model: Model = None,
    datasets: Datasets = None,
    limit: Limit = None,
    api_key_env: ApiKeyEnv = None,
    unsafe: Unsafe = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object: report, status, exit_code.")] = False,
) -> int:
    """Evaluate models on datasets and write one report.

    Either a spec file, or for a first look: bridge run --base-url URL --model NAME --datasets gsm8k arc --limit 20

    The same command with the same --output goes on where it stopped, and asks only what was not answered.
    """
    given = Given(spec, overrides, backend, base_url, model, datasets, limit, api_key_env)
    with failure_as_json(as_json):
        report, folder = _run(given, output, quiet, unsafe)
    if not quiet or as_json:
        print_outcome(report, folder, as_json)
    if report.exit_code and output is None and not quiet:
        print(f"to go on with this run: {shlex.join([*_argv(), '--output', str(folder)])}", file=sys.stderr)
    return report.exit_code


def _argv() -> list[str]:
    """The command line, to be recorded and to be shown."""
    return ["bridge", *sys.argv[1:]]


def _run(given: Given, output: Path | None, quiet: bool, unsafe: bool) -> tuple[Report, Path]:
    source = given.read()
    from bridge.cli.progress import watching
    from bridge.runs import default_output, run

    folder = output or default_output(source.spec)
    with source.places_named(), watching(quiet) as watcher:
        return run(source.spec, output=folder, watcher=watcher, argv=_argv(), unsafe=unsafe), folder


def _told(error: ReportError) -> str:
    place = " · ".join(part for part in (error.model, error.backend, error.dataset) if part)
    times = f" (× {error.count})" if error.count > 1 else ""
    return ": ".join(filter(None, [error.kind.value, place, error.message])) + times


def print_outcome(report: Report, folder: Path, as_json: bool) -> None:
    """The end of a run on stdout: its tables, or one JSON object."""
    if as_json:
        print_json(folder / "report.json", report.status.value, report.exit_code, list(map(_told, report.errors)))
        return
    from rich.console import Console

    from bridge.report.table import report_table

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    console.print(report_table(report, folder))
