"""``bridge datasets``"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.columns import columns
from bridge.cli.ending import ended

if TYPE_CHECKING:
    from bridge.backend import DatasetInfo

HEADER = ("NAME", "BACKEND", "KIND", "SHOTS", "CONFIG", "EVALUATOR", "DATA", "ABOUT")
WIDEST = 48


@ended
def command(
    backend: Annotated[str | None, typer.Option(help="Only this backend's.")] = None,
    search: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only those with these words in name or description.")
    ] = None,
    models: Annotated[
        bool, typer.Option("--models", help="Instead: the models that backends load themselves (model.local.name).")
    ] = False,
    configurations: Annotated[
        bool, typer.Option("--configurations", help="Instead: the frameworks' own configurations, every one.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known of each, as JSON.")] = False,
) -> None:
    """List the datasets that the backends know.

    A framework's own configurations can be named too (opencompass:mmlu_gen_4d595a); --configurations lists them.
    """
    if models:
        _print_models(backend, search, as_json)
        return
    found = [info for info in (_configurations(backend) if configurations else _all(backend)) if _fits(info, search)]
    if as_json:
        print(json.dumps([asdict(info) for info in found], indent=2, ensure_ascii=False))
        return
    print("\n".join(columns(HEADER, [_row(info) for info in found])))
    if not found:
        print("no dataset fits; without --search and --backend, all are listed", file=sys.stderr)


def _all(backend: str | None) -> Iterator[DatasetInfo]:
    from bridge.registry import backend as backend_of
    from bridge.registry import backend_names

    for name in [backend] if backend else backend_names():
        yield from backend_of(name).datasets().values()


def _configurations(backend: str | None) -> Iterator[DatasetInfo]:
    from bridge.backend import ListsConfigurations
    from bridge.registry import backend as backend_of
    from bridge.registry import backend_names

    for name in [backend] if backend else backend_names():
        one = backend_of(name)
        if isinstance(one, ListsConfigurations):
            yield from one.configurations().values()


def _print_models(backend: str | None, search: str | None, as_json: bool) -> None:
    from bridge.backend import LoadsModels
    from bridge.registry import backend as backend_of
    from bridge.registry import backend_names

    chosen = [backend_of(name) for name in ([backend] if backend else backend_names())]
    known = [(name, one.name, *about) for one in chosen if isinstance(one, LoadsModels) for name, about in one.models()]
    words = (search or "").casefold().split()
    rows = [row for row in known if all(word in " ".join(row).casefold() for word in words)]
    if as_json:
        names = ("name", "backend", "class", "weights")
        print(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2))
        return
    print("\n".join(columns(("NAME", "BACKEND", "CLASS", "WEIGHTS"), rows)))
    if not rows:
        print("no model fits, or the backend loads none itself", file=sys.stderr)


def _fits(info: DatasetInfo, search: str | None) -> bool:
    words = (search or "").casefold().split()
    text = " ".join((info.name, info.family, info.config, info.description)).casefold()
    return all(word in text for word in words)


def _row(info: DatasetInfo) -> Sequence[str]:
    from bridge.report.text import one_line

    kind = f"{info.kind} (unusable)" if info.unusable else info.kind
    shots = "" if info.num_fewshot is None else str(info.num_fewshot)
    told = (one_line(text, WIDEST) for text in (info.config, info.evaluator, info.data))
    return info.name, info.backend, kind, shots, *told, info.unusable or info.description
