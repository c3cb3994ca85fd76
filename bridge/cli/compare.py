"""``bridge compare``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.ending import ended
from bridge.errors import Problem, SpecError

if TYPE_CHECKING:
    from bridge.report.compare_schema import Comparison


@ended
def command(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN…", help="Folders of runs, the baseline first: RUN, RUN:model, RUN:model@backend."),
    ],
    datasets: Annotated[
        list[str] | None,
        typer.Option("--dataset", metavar="NAME", help="Only this dataset; A=B where the runs name it differently."),
    ] = None,
    metric: Annotated[str | None, typer.Option(help="Compare this metric, not each dataset's primary one.")] = None,
    cluster: Annotated[
        str,
        typer.Option(metavar="KEY", help="What samples share their luck: subset, a key of their metadata, or none."),
    ] = "declared",
    any_prompt: Annotated[
        bool, typer.Option("--any-prompt", help="Pair samples also where they were asked with another prompt.")
    ] = False,
    flips: Annotated[int, typer.Option(min=0, metavar="N", help="Tell so many lost and won samples per dataset.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print it as Markdown.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write it as one HTML file.")] = None,
) -> None:
    """Compare runs sample by sample: is the difference real, how big is it, and where.

    One run alone is compared model by model, or where it has one model, backend by backend. Exit code 2: the runs
    cannot be compared, and why.
    """
    from bridge.report.compare import EVERY, Options, compare
    from bridge.report.compare_dataset import How

    options = Options(
        how=How(cluster=cluster, any_prompt=any_prompt, flips=flips),
        datasets=dict(_mapped(name) for name in datasets or []),
        metrics={EVERY: metric} if metric else {},
    )
    comparison = compare(runs, options)
    if html is not None:
        _write_html(comparison, html)
    if as_json:
        print(comparison.model_dump_json(indent=2))
    elif as_markdown:
        from bridge.report.compare_markdown import comparison_markdown

        print(comparison_markdown(comparison), end="")
    else:
        _print_table(comparison)


def _mapped(name: str) -> tuple[str, str]:
    before, equals, after = name.partition("=")
    if not before or (equals and not after):
        raise SpecError([Problem("--dataset", "", f"{name!r} is no dataset", "give NAME, or A=B")])
    return before, after if equals else before


def _write_html(comparison: Comparison, path: Path) -> None:
    from bridge.report.compare_html import comparison_html
    from bridge.rundir import write_atomic

    page = comparison_html(comparison)
    try:
        write_atomic(path, page)
    except OSError as error:
        raise SpecError([Problem("--html", "", f"{path}: {error.strerror or error}")]) from None


def _print_table(comparison: Comparison) -> None:
    from rich.console import Console

    from bridge.report.compare_table import comparison_table

    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    console.print(comparison_table(comparison))
