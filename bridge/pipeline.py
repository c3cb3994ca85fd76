"""What ``run`` does once there is something to do; heavy to import, so only then."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.collect import Collection
from bridge.execute import Execution
from bridge.invocation import interruptible
from bridge.manifest import Manifest
from bridge.pins import take_pins, write_pins
from bridge.plan import Plan
from bridge.progress import Watcher
from bridge.report.schema import ErrorKind, Report, ReportError, Status
from bridge.report.write import write_report
from bridge.rundir import RunDir
from bridge.seal import write_seal
from bridge.serve import describe


async def run_plan(plan: Plan, rundir: RunDir, manifest: Manifest, watcher: Watcher) -> Report:
    """The pipeline, as a list: environments | serve | gateway | launch | collect | merge | pins | report | seal."""
    collection = Collection(plan, rundir, manifest)
    execution = Execution(plan, rundir, watcher, manifest.failed_marker)
    pending = collection.take_finished()
    with interruptible(execution.interrupt):
        await execution.run(pending)
    collection.take(execution.executed)
    models = [execution.models.get(model.name) or describe(model) for model in plan.spec.all_models]
    report = collection.report(models, [*execution.errors, *_stopped(execution)])
    if report.status is not Status.FAILED:
        write_pins(rundir, take_pins(plan, manifest.bridge_version))
    write_report(rundir, report)
    write_seal(rundir)
    return report


def _stopped(execution: Execution) -> Iterator[ReportError]:
    if execution.interrupt.event.is_set() and all(e.kind is not ErrorKind.INTERRUPTED for e in execution.errors):
        yield ReportError(kind=ErrorKind.INTERRUPTED, message=execution.interrupt.reason)


def errors_of_the_run(report: Report | None) -> list[ReportError]:
    """The errors that the job folders do not tell again."""
    kinds = (ErrorKind.INTERRUPTED, ErrorKind.ENV, ErrorKind.SERVE)
    return [error for error in report.errors if error.kind in kinds] if report else []
