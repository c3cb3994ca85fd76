"""``bridge env``"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.app import several
from bridge.cli.columns import columns
from bridge.cli.ending import ended, tell
from bridge.errors import EnvError, Problem, SpecError, did_you_mean

if TYPE_CHECKING:
    from bridge.backend import Backend, EnvSpec
    from bridge.env_build import Environment

group = several("Build, list, check and remove the environments of the backends and of what serves models.")

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="opencompass, swift, …; default: all.")]
Named = Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="opencompass, swift, …")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


@group.command()
@ended
def build(names: Names = None, quiet: Quiet = False) -> int:
    """Build environments, side by side, where they are not there yet."""
    from bridge.cli.progress import watching
    from bridge.envs import ensure
    from bridge.progress import Watcher

    async def one(spec: EnvSpec, watcher: Watcher) -> None:
        watcher.stage(spec.name, "running")
        try:
            python = await ensure(spec, progress=lambda line: watcher.stage(spec.name, "running", line))
        except EnvError:
            watcher.stage(spec.name, "failed")
            raise
        watcher.stage(spec.name, "done", str(python.parent.parent))

    with watching(quiet) as watcher:
        failed = _each(_chosen(names), lambda spec: one(spec, watcher))
    return _told(failed)


@group.command()
@ended
def check(names: Names = None) -> int:
    """Check that the frameworks in them can be imported."""
    from bridge.envs import check as check_one
    from bridge.envs import installed

    chosen = [spec for spec in _chosen(names) if names or installed(spec)]
    if not chosen:
        print("no environment is built yet; 'bridge env build' builds them all")

    async def one(spec: EnvSpec) -> None:
        await check_one(spec)
        print(f"{spec.name}: works")

    return _told(_each(chosen, one))


@group.command(name="list")
@ended
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False) -> None:
    """List environments: those in use, built or not, and others in the cache."""
    from bridge.envs import env_path, list_environments

    known = known_environments()
    used = {env_path(spec): spec for spec in known.values()}
    there = {environment.path: environment for environment in list_environments()}
    rows = [_row(spec.name, spec.version, "in use", there.get(path)) for path, spec in used.items()]
    for path, found in there.items():
        if path not in used:
            rows.append(_row(found.name, found.version, "replaced" if found.name in known else "other", found))
    if as_json:
        print(json.dumps([dict(zip(HEADER, row, strict=True)) for row in rows], indent=2))
    else:
        print("\n".join(columns([name.upper() for name in HEADER], rows)))


HEADER = ("name", "version", "state", "python", "size", "built", "path")
"""``replaced``: of a lock that bridge no longer has; ``other``: no backend calls an environment that."""


def _row(name: str, version: str, state: str, found: Environment | None) -> Sequence[str]:
    if found is None:
        return name, version, "not built", "", "", "", ""
    size = f"{found.size_bytes / 1e6:,.0f} MB"
    return name, version, state, found.python, size, found.built_at, str(found.path)


@group.command()
@ended
def remove(
    names: Named = None,
    replaced: Annotated[bool, typer.Option("--replaced", help="All those of locks that bridge no longer has.")] = False,
) -> None:
    """Delete environments; a run that needs one builds it again."""
    from bridge.envs import env_path, list_environments, remove_path

    if not names and not replaced:
        raise SpecError([Problem("bridge env remove", "", "give the names of environments, or --replaced")])
    known = known_environments()
    used = {env_path(spec) for spec in known.values()}
    there = list_environments()
    _refuse_unknown(names or [], {*known, *(found.name for found in there)})
    for found in there:
        if found.name in (names or []) or (replaced and found.name in known and found.path not in used):
            remove_path(found)
            print(f"{found.path}: removed")


def _chosen(names: list[str] | None) -> list[EnvSpec]:
    known = known_environments()
    _refuse_unknown(names or [], known)
    return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())


def _refuse_unknown(names: Sequence[str], known: Collection[str]) -> None:
    message, hint = "there is no such environment", f"one of: {', '.join(known)}"
    if unknown := [name for name in names if name not in known]:
        raise SpecError([Problem(name, "", message, did_you_mean(name, known) or hint) for name in unknown])


def known_environments() -> dict[str, EnvSpec]:
    """Every environment with a lock, by name: those of the backends, and those that serve models."""
    from bridge.registry import backend, backend_names
    from bridge.serve import environments

    specs = [environment for name in backend_names() for environment in environments_of(backend(name))]
    specs += environments()
    return {spec.name: spec for spec in specs if spec.lock is not None}


def environments_of(backend: Backend) -> Sequence[EnvSpec]:
    """Also those that only some of its datasets need."""
    return (backend.env, *getattr(backend, "further_envs", ()))


def _each(specs: Sequence[EnvSpec], work: Callable[[EnvSpec], Awaitable[None]]) -> list[EnvError]:
    """Does it for all at the same time; returns what failed, after all have ended."""

    async def everything() -> list[BaseException | None]:
        return await asyncio.gather(*(work(spec) for spec in specs), return_exceptions=True)

    failed = []
    for result in asyncio.run(everything()):
        if isinstance(result, EnvError):
            failed.append(result)
        elif result is not None:
            raise result
    return failed


def _told(failed: Sequence[EnvError]) -> int:
    for error in failed:
        tell(error)
    return failed[0].exit_code if failed else 0
