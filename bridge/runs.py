"""``run``: a spec in, a report out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from bridge.errors import OutputError, Problem, SpecError
from bridge.manifest import begin, read_manifest
from bridge.plan import Plan, make_plan, problems_in_rest, recorded_plan
from bridge.progress import Silent, Watcher
from bridge.report.read import read_report
from bridge.report.schema import Report, Status
from bridge.report.write import write_report
from bridge.rundir import RunDir
from bridge.seal import SEAL, write_seal
from bridge.spec import TaskSpec
from bridge.spec_file import dump_spec, recorded_spec
from bridge.spec_file.perf import is_perf_spec
from bridge.spec_file.rest import Rest


def run(
    spec: TaskSpec,
    *,
    output: Path | None = None,
    watcher: Watcher | None = None,
    argv: Sequence[str] = (),
    unsafe: bool = False,
) -> Report:
    """Runs the spec and returns the report, which is also in the run directory.

    ``unsafe``: code that a model writes may run without a sandbox where there is none.
    The same spec into the same ``output`` goes on where it stopped and asks only what was not answered. Raises
    SpecError before anything starts and OutputError where the run directory cannot be used; whatever else fails is
    in the report: see ``Report.status``, ``Report.errors`` and ``Report.exit_code``.
    """
    rundir = RunDir((output or default_output(spec)).absolute())
    if (report := _finished(rundir, spec)) is not None:
        _seal_where_lost(rundir)
        return report
    from bridge.invocation import clear_about_the_disk, in_a_loop
    from bridge.pipeline import run_plan

    plan = prepare(spec, unsafe=unsafe)
    with rundir.locked(), clear_about_the_disk(rundir):
        manifest = begin(rundir, plan, dump_spec(spec), argv)
        return in_a_loop(run_plan(plan, rundir, manifest, watcher or Silent()))


def prepare(spec: TaskSpec, *, unsafe: bool = False) -> Plan:
    """The plan, after every check that asks no network and starts no job. Raises SpecError with all problems."""
    from bridge import confine

    problems = list(_of_models(spec))
    try:
        plan = make_plan(spec)
    except SpecError as error:
        raise SpecError([*problems, *error.problems]) from None
    if not problems:
        for planned in plan.of_model(spec.all_models[0]):
            problems += confine.problems(planned.task, planned.jobs(), unsafe=unsafe)
    if problems:
        raise SpecError(problems)
    return plan


def problems_beside(rest: Rest) -> list[Problem]:
    """What else is wrong with a spec that has problems already; for ``read_spec``."""
    models = _of_models(rest.spec) if rest.has_models else ()
    return [*models, *problems_in_rest(rest)]


def _of_models(spec: TaskSpec) -> Iterator[Problem]:
    from bridge.serve import check as check_model
    from bridge.serve.misread import misread

    for index, model in enumerate(spec.all_models):
        yield from check_model(model, field="model" if spec.model else f"models[{index}]")
        yield from misread(model, spec)
    for index, judge in enumerate(spec.all_judges):
        field = "judge" if spec.judge else f"judges[{index}]"
        yield from check_model(judge, field=field)
        if judge.local is not None:
            yield Problem("", f"{field}.local", "a judge answers in text", "give 'endpoint' or 'deploy'")


def remake_report(root: Path) -> Report:
    """Reads a run directory again and writes its report anew; asks nothing and starts nothing."""
    from bridge.collect import Collection
    from bridge.invocation import clear_about_the_disk
    from bridge.pipeline import errors_of_the_run
    from bridge.serve import describe
    from bridge.spec_file.arena import is_arena_spec

    rundir = RunDir(root.absolute())
    if (rundir.root / "arena.json").is_file() or is_arena_spec(rundir.spec):
        from bridge.arena.report import rate_run

        return rate_run(root)
    manifest = read_manifest(rundir)
    if manifest is None:
        raise OutputError(f"{root}: no run in this folder (there is no manifest.json); give a run's own folder")
    if is_perf_spec(rundir.spec):
        from bridge.perf_run import remake_perf_report

        with rundir.locked(), clear_about_the_disk(rundir):
            return remake_perf_report(rundir, manifest)
    with rundir.locked(), clear_about_the_disk(rundir):
        earlier = read_report(rundir.report_json) if rundir.report_json.exists() else None
        collection = Collection(recorded_plan(recorded_spec(rundir.spec)), rundir, manifest)
        collection.take_recorded()
        models = earlier.models if earlier else [describe(m) for m in collection.plan.spec.all_models]
        report = write_report(rundir, collection.report(models, errors_of_the_run(earlier)))
        write_seal(rundir)
        return report


def default_output(spec: TaskSpec) -> Path:
    return Path("runs") / f"{spec.name}-{datetime.now():%Y%m%d-%H%M%S}"


def _seal_where_lost(rundir: RunDir) -> None:
    """A run that was killed between its report and its seal is whole, and sealed when it is asked for again."""
    if not (rundir.root / SEAL).exists():
        with rundir.locked():
            write_seal(rundir)


def _finished(rundir: RunDir, spec: TaskSpec) -> Report | None:
    """The report that is there already, where this spec's run is complete."""
    if not rundir.report_json.exists():
        return None
    try:
        manifest, report = read_manifest(rundir), read_report(rundir.report_json)
    except OutputError:
        return None
    sha256 = spec.sha256()
    same = manifest is not None and manifest.spec_sha256 == sha256 == report.run.spec_sha256
    return report if same and report.status is Status.COMPLETE else None
