"""``bridge data``"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.app import several
from bridge.cli.columns import columns
from bridge.cli.ending import ended

if TYPE_CHECKING:
    from bridge.backend import Task
    from bridge.data_state import ChecksData, DataArchive, DataState
    from bridge.spec import TaskSpec

group = several("Look after the files of datasets.")

SHOWN = 3
EXIT_MISSING = 2


@group.callback()
def of_group() -> None:
    """Look after the files of datasets."""


@group.command()
@ended
def check(
    names: Annotated[list[str] | None, typer.Argument(metavar="[DATASET]…", help="Default: all of them.")] = None,
    backend: Annotated[str, typer.Option(help="Whose datasets.")] = "opencompass",
    spec: Annotated[Path | None, typer.Option(metavar="SPEC", help="Check the datasets of this spec.")] = None,
    data: Annotated[str | None, typer.Option(metavar="FOLDER", help="Look there; default: BRIDGE_DATA.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch what is missing, where there is a way.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known, as JSON.")] = False,
) -> int:
    """Say which files are there, which are missing, how they are to lie and where to get them.

    Nothing is downloaded without --download. Ends with 2 where files are missing.
    """
    checks, task = _task(backend, names or [], spec, data)
    states = list(checks.data_states(task))
    if download:
        _download([state for state in states if state.missing], task.spec)
        states = list(checks.data_states(task))
    if as_json:
        print(json.dumps([asdict(state) for state in states], indent=2, ensure_ascii=False))
    else:
        print("\n".join(_lines(states)))
    return EXIT_MISSING if any(state.missing for state in states) else 0


def _task(backend: str, names: Sequence[str], spec: Path | None, data: str | None) -> tuple[ChecksData, Task]:
    """Raises SpecError."""
    from bridge.backend import Task
    from bridge.data_state import ChecksData
    from bridge.errors import Problem, SpecError
    from bridge.plan import make_plan
    from bridge.registry import backend as backend_of
    from bridge.spec_file import read_spec, spec_from_mapping

    found = backend_of(backend)
    if not isinstance(found, ChecksData):
        message = f"{backend} does not say which files it reads"
        raise SpecError([Problem("--backend", "", message, "see 'bridge datasets', column DATA")])
    if spec is not None:
        whole = read_spec(spec, [f"data={data}"] if data else []).spec
        datasets = tuple(one for one in whole.datasets if not names or one.id in names)
        return found, Task(whole, whole.all_models[0], datasets, whole.concurrency)
    wanted = names or [info.name for info in found.datasets().values() if not info.unusable and info.data != "path"]
    unknown = [name for name in wanted if found.resolve(name) is None]
    whole = spec_from_mapping(
        {
            "model": {"name": "model", "endpoint": {"base_url": "http://127.0.0.1:8000/v1"}},
            "backend": backend,
            "datasets": wanted,
            **({"data": data} if data else {}),
        }
    )
    if unknown:
        make_plan(whole)  # says it, with the nearest name
    return found, Task(whole, whole.all_models[0], whole.datasets, whole.concurrency)


def _download(states: Sequence[DataState], spec: TaskSpec) -> None:
    """Each archive once. Raises DownloadError, SpecError."""
    from bridge.downloads import fetch, unpack
    from bridge.errors import Problem, SpecError

    if spec.data is None:
        raise SpecError([Problem("--download", "", "there is no folder to put files into", "give --data FOLDER")])
    folder = Path(spec.data)
    for state in states:
        if not state.archives:
            print(f"{state.dataset}: there is no archive of it; {_elsewhere(state)}", file=sys.stderr)
    for archive in dict.fromkeys(archive for state in states for archive in state.archives):
        path = fetch(archive.url, archive.md5, folder / ".downloads", _tell)
        made = unpack(path, folder / archive.folder)
        path.unlink()
        unchecked = "" if archive.md5 else "; no checksum of it is published, only the zip file's own was checked"
        print(f"{archive.url}: {len(made)} files{unchecked}", file=sys.stderr)


def _tell(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{line}", end="", file=sys.stderr, flush=True)


def _lines(states: Sequence[DataState]) -> Iterator[str]:
    rows = [(state.dataset, _word(state), str(len(state.present)), str(len(state.missing))) for state in states]
    yield "\n".join(columns(("DATASET", "STATE", "PRESENT", "MISSING"), rows))
    for state in states:
        if state.missing:
            yield ""
            yield from _about(state)


def _word(state: DataState) -> str:
    return "present" if not state.missing else "partly" if state.present else "missing"


def _about(state: DataState) -> Iterator[str]:
    more = f" and {len(state.missing) - SHOWN} more" if len(state.missing) > SHOWN else ""
    yield f"{state.dataset}: missing {', '.join(state.missing[:SHOWN])}{more}"
    yield f"  expected: {state.expected}"
    for archive in state.archives:
        yield f"  archive: {_archive(archive)}"
    if state.hubs or not state.archives:
        yield f"  {_elsewhere(state)}"


def _archive(archive: DataArchive) -> str:
    told = f"MD5 {archive.md5}" if archive.md5 else "no checksum is published"
    return f"{archive.url} ({told}), unpacked into {archive.folder or 'the data folder'}"


def _elsewhere(state: DataState) -> str:
    return f"elsewhere, in another form: {', '.join(state.hubs)}" if state.hubs else "see the benchmark's own page"
