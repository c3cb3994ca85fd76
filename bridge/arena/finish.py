"""The end of an invocation: what is there becomes decisions, ratings and the report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bridge.arena.report import write_arena_report
from bridge.arena_spec import ArenaSpec, ContestantSpec
from bridge.endpoint.totals import judge_usage, usage
from bridge.manifest import Manifest, bridge_version
from bridge.native.arena.folder import ArenaFolder
from bridge.native.arena.rating_stage import nobody_said_anything
from bridge.native.arena.settings import of_spec
from bridge.report.merge import merge
from bridge.report.schema import ErrorKind, ModelInfo, Report, ReportError
from bridge.report.write import write_report
from bridge.rundir import RunDir
from bridge.seal import write_seal
from bridge.serve import describe


def finish(spec: ArenaSpec, rundir: RunDir, manifest: Manifest, errors: Sequence[ReportError]) -> Report:
    """Writes the report. Raises OutputError where the battles cannot be read."""
    run, models = of_spec(spec), [_described(model) for model in spec.models]
    if nobody_said_anything(ArenaFolder(rundir.root), run):
        return _without_battles(spec, rundir, manifest, models, errors)
    return write_arena_report(
        rundir,
        run,
        manifest=manifest,
        models=models,
        usage=usage(rundir.requests),
        judge_usage=judge_usage(rundir.requests),
        errors=errors,
    )


def _described(model: ContestantSpec) -> ModelInfo:
    asked = model.model()
    if asked is None:
        return ModelInfo(name=model.name, source=str(model.answers), engine="answers on file")
    return describe(asked)


def _without_battles(
    spec: ArenaSpec, rundir: RunDir, manifest: Manifest, models: Sequence[ModelInfo], errors: Sequence[ReportError]
) -> Report:
    people = all(judge.human for judge in spec.all_judges)
    message = "nobody has voted yet on the answers as they are" if people else "there is no battle"
    hint = (
        f"bridge arena review {rundir.root} --as NAME opens the page to vote on" if people else "see the other errors"
    )
    kind = ErrorKind.UNANSWERED if people else ErrorKind.BACKEND
    report = merge(
        [],
        run_id=manifest.run_id,
        name=spec.name,
        started_at=manifest.started_at,
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        bridge_version=bridge_version(),
        spec_sha256=manifest.spec_sha256,
        argv=manifest.argv,
        host=manifest.host,
        models=models,
        usage=usage(rundir.requests),
        errors=[*errors, ReportError(kind=kind, message=message, hint=hint, dataset=spec.questions_name)],
        datasets=[spec.questions_name],
    )
    write_report(rundir, report)
    write_seal(rundir)
    return report
