"""``bridge arena run``: answers, battles, decisions, ratings; the same command goes on where it stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from bridge.arena.finish import finish
from bridge.arena.prepare import Setup, prepare
from bridge.arena.stages import Stages
from bridge.arena_spec import ArenaSpec
from bridge.errors import OutputError, Problem, SpecError
from bridge.invocation import clear_about_the_disk, in_a_loop, interruptible
from bridge.launch import StopSignal
from bridge.manifest import Manifest, new_manifest, read_manifest
from bridge.native.arena.battle import read_battles
from bridge.native.arena.folder import ArenaFolder
from bridge.progress import Silent, Watcher
from bridge.report.schema import ErrorKind, Report, ReportError
from bridge.rundir import RunDir, write_atomic
from bridge.spec_file import dump_spec
from bridge.spec_file.arena import recorded_arena_spec


def run_arena(
    spec: ArenaSpec, *, output: Path | None = None, watcher: Watcher | None = None, argv: Sequence[str] = ()
) -> Report:
    """Runs the arena and returns its report, which is also in the run directory.

    Into a folder that an arena has used before, with the same or another spec: what was answered is not asked again,
    and verdicts about something that has changed since are set aside. Raises SpecError before anything starts, and
    OutputError where the folder cannot be used; what else fails is in the report.
    """
    setup = prepare(spec)
    rundir = RunDir((output or default_output(spec)).absolute())
    with rundir.locked(), clear_about_the_disk(rundir):
        manifest = begin(rundir, spec, argv)
        return in_a_loop(_run(setup, rundir, manifest, watcher or Silent()))


def default_output(spec: ArenaSpec) -> Path:
    dry = "dry-" if spec.arena.dry_run else ""
    return Path("runs") / f"{spec.name}-{dry}{datetime.now():%Y%m%d-%H%M%S}"


async def _run(setup: Setup, rundir: RunDir, manifest: Manifest, watcher: Watcher) -> Report:
    errors = await until_stopped(Stages(setup, rundir, watcher))
    errors += [ReportError(kind=ErrorKind.WARNING, message=note) for note in setup.notes]
    watcher.stage("ratings", "running")
    report = finish(setup.spec, rundir, manifest, errors)
    watcher.stage("ratings", "done")
    return report


async def until_stopped(stages: Stages) -> list[ReportError]:
    """Runs the stages until they end, or a signal ends them; returns what went wrong."""
    interrupt = StopSignal(asyncio.Event())
    with interruptible(interrupt):
        await _unless(interrupt, stages)
    stopped = [ReportError(kind=ErrorKind.INTERRUPTED, message=interrupt.reason)] if interrupt.event.is_set() else []
    return [*stages.errors, *stopped]


async def _unless(interrupt: StopSignal, stages: Stages) -> None:
    """What was answered until the user stops it is on disk."""
    work = asyncio.create_task(stages.run())
    stopped = asyncio.create_task(interrupt.event.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not work.done():
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        return
    try:
        work.result()
    except BaseExceptionGroup as several:
        raise _first(several) from None


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def begin(rundir: RunDir, spec: ArenaSpec, argv: Sequence[str]) -> Manifest:
    """Opens the folder: a new one, or one that an arena has used before."""
    earlier = read_manifest(rundir)
    if earlier is None:
        if any(entry.name != ".lock" for entry in rundir.root.iterdir()):
            message = f"{rundir.root} holds files but no run"
            raise SpecError([Problem("--output", "", message, "give an empty or a new folder")])
        manifest = new_manifest(spec.name, spec.sha256(), argv)
        write_atomic(rundir.spec, dump_spec(spec))
    else:
        problems = [*_no_arena(rundir), *_real_verdicts(rundir, spec)]
        if problems:
            raise SpecError(problems)
        manifest = earlier.model_copy(update={"spec_sha256": spec.sha256()})
    write_atomic(rundir.manifest, manifest.model_dump_json(indent=2))
    return manifest


def _real_verdicts(rundir: RunDir, spec: ArenaSpec) -> Iterator[Problem]:
    """A dry run would set them aside."""
    battles = ArenaFolder(rundir.root).battles
    if spec.arena.dry_run and battles.exists() and any(row.judgment is not None for row in read_battles(battles)):
        message = f"{rundir.root} holds verdicts that judges gave"
        yield Problem("--dry-run", "", message, "give a folder of its own with --output")


def _no_arena(rundir: RunDir) -> Iterator[Problem]:
    try:
        recorded_arena_spec(rundir.spec)
    except SpecError:
        yield Problem("--output", "", f"{rundir.root} holds a run that is no arena", "give another folder")
    except OSError as error:
        raise OutputError(f"{rundir.spec}: cannot be read: {error.strerror}") from error
