"""Job folders → results → report: what every job left is read, written as samples, and merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from bridge.backend import BenchmarkResult, Job, Outcome
from bridge.endpoint.totals import failures, judge_usage, usage
from bridge.errors import OutputError
from bridge.launch import digest, earlier_outcome, not_launched
from bridge.manifest import Manifest
from bridge.plan import Plan, PlannedTask
from bridge.report.merge import merge
from bridge.report.schema import ErrorKind, ModelInfo, Report, ReportError, SampleRecord, Status
from bridge.report.write import sample_line
from bridge.rundir import RunDir, slug
from bridge.traffic_perf import traffic_results


@dataclass(frozen=True)
class Executed:
    """One job that was to run in this invocation, and how it ended."""

    planned: PlannedTask
    job: Job
    outcome: Outcome
    never_started: bool = False


@dataclass
class Collection:
    """The results of all tasks, in the plan's order."""

    plan: Plan
    rundir: RunDir
    manifest: Manifest
    results: dict[int, list[BenchmarkResult]] = field(default_factory=dict)
    """By position of the task in the plan."""
    errors: list[ReportError] = field(default_factory=list)
    samples_into: RunDir | None = None
    """Where the samples are written, if not into the run itself."""

    def take_finished(self) -> list[PlannedTask]:
        """Takes the tasks that an earlier invocation has completed; returns those that are still to do."""
        pending = []
        for at, planned in enumerate(self.plan.tasks):
            results = list(self._earlier(planned))
            if results and all(_is_complete(result) for result in results):
                self.results[at] = results
                for job in planned.jobs():
                    self.errors += self._unanswered(planned, job)
            else:
                pending.append(planned)
        return pending

    def take(self, executed: Sequence[Executed]) -> None:
        """Takes what the jobs of this invocation left."""
        for at, planned in enumerate(self.plan.tasks):
            for one in executed:
                if one.planned is planned:
                    self.results.setdefault(at, []).extend(self._collect(planned, one.job, one.outcome))
                    if not one.never_started:
                        self.errors += self._unanswered(planned, one.job)

    def take_recorded(self) -> None:
        """Takes what is there, complete or not."""
        for at, planned in enumerate(self.plan.tasks):
            self.results[at] = list(self._recorded(planned))
            for job in planned.jobs():
                self.errors += self._unanswered(planned, job)

    def report(self, models: Iterable[ModelInfo], errors: Iterable[ReportError] = ()) -> Report:
        """Writes the samples and merges everything; writes no report."""
        manifest = self.manifest
        written = [
            self._write_samples(planned, result)
            for at, planned in enumerate(self.plan.tasks)
            for result in self.results.get(at, [])
        ]
        if self.plan.spec.measure_traffic:
            written += traffic_results(self.rundir.requests, self._traffic_names(), manifest.bridge_version)
        return merge(
            written,
            run_id=manifest.run_id,
            name=self.plan.spec.name,
            started_at=manifest.started_at,
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            bridge_version=manifest.bridge_version,
            spec_sha256=manifest.spec_sha256,
            argv=manifest.argv,
            host=manifest.host,
            models=tuple(models),
            usage=usage(self.rundir.requests),
            judge_usage=judge_usage(self.rundir.requests),
            errors=(*errors, *self.errors),
            datasets=[dataset.id for dataset in self.plan.spec.datasets],
        )

    def _traffic_names(self) -> dict[str, list[str]]:
        """By model, the names under which its jobs' requests were recorded."""
        names: dict[str, list[str]] = {}
        for planned in self.plan.tasks:
            names.setdefault(planned.task.model.name, []).extend(traffic_name(planned, j.id) for j in planned.jobs())
        return names

    def _earlier(self, planned: PlannedTask) -> Iterator[BenchmarkResult]:
        for job in planned.jobs():
            outcome = earlier_outcome(job_folder(self.rundir, planned, job.id), digest(job))
            if outcome is not None and outcome.exit_code == 0 and outcome.stopped is None:
                yield from self._collect(planned, job, outcome)

    def _recorded(self, planned: PlannedTask) -> Iterator[BenchmarkResult]:
        for job in planned.jobs():
            folder = job_folder(self.rundir, planned, job.id)
            outcome = earlier_outcome(folder, digest(job)) or not_launched(
                job,
                model=planned.task.model.name,
                folder=folder,
                reason="the job has not run",
                failed_marker=self.manifest.failed_marker,
            )
            yield from self._collect(planned, job, outcome)

    def _collect(self, planned: PlannedTask, job: Job, outcome: Outcome) -> list[BenchmarkResult]:
        mine = tuple(dataset for dataset in planned.task.datasets if dataset.id in job.datasets)
        results = planned.backend.collect(outcome, replace(planned.task, datasets=mine))
        return [_with_sandbox(result, job, outcome) for result in results]

    def _unanswered(self, planned: PlannedTask, job: Job) -> Iterator[ReportError]:
        """Why requests of a foreign job were not answered: the gateway knows, whatever the framework says."""
        if planned.backend.route != "gateway":
            return
        for kind, (count, message) in failures(self.rundir.requests, traffic_name(planned, job.id)).items():
            yield ReportError(
                kind=ErrorKind.WARNING,
                message=f"requests finally failed ({kind}), last: {message}",
                count=count,
                model=planned.task.model.name,
                backend=job.backend,
            )

    def _write_samples(self, planned: PlannedTask, result: BenchmarkResult) -> BenchmarkResult:
        into = self.samples_into or self.rundir
        path = into.samples(planned.backend.name, result.dataset, _column(planned))
        if not _write_lines(path, result.samples):
            return result
        relative = str(path.relative_to(into.root))
        return replace(result, rows=tuple(row.model_copy(update={"samples": relative}) for row in result.rows))


def _with_sandbox(result: BenchmarkResult, job: Job, outcome: Outcome) -> BenchmarkResult:
    """What foreign code ran in is a setting of the result; that it ran without a sandbox is said aloud."""
    if not outcome.sandbox or (job.confines and result.dataset not in job.confines):
        return result
    rows = [row.model_copy(update={"settings": {**row.settings, "sandbox": outcome.sandbox}}) for row in result.rows]
    errors = result.errors
    if outcome.sandbox == "none":
        what = "that the model wrote" if job.runs == "model output" else "that may stand in the data"
        told = ReportError(
            kind=ErrorKind.WARNING,
            message=f"code {what} was run without a sandbox",
            hint="bridge doctor says what a sandbox needs",
            model=outcome.model,
            backend=outcome.backend,
            dataset=result.dataset,
        )
        errors = (*errors, told)
    return replace(result, rows=tuple(rows), errors=errors)


def job_folder(rundir: RunDir, planned: PlannedTask, job_id: str) -> Path:
    return rundir.job(job_id, _column(planned))


def traffic_name(planned: PlannedTask, job_id: str) -> str:
    """The name under which a job's requests are recorded; it is part of a URL."""
    column = _column(planned)
    return slug(f"{column}.{job_id}" if column else job_id).replace("%", "~")


def _column(planned: PlannedTask) -> str | None:
    """The model's name where the run has several, and so a folder for each."""
    return planned.task.model.name if len(planned.task.spec.all_models) > 1 else None


def _write_lines(path: Path, samples: Iterable[SampleRecord]) -> int:
    """One JSON line per sample; the old file stays until the new one is whole. Returns their number."""
    n = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.tmp")
    try:
        with aside.open("wb") as file:
            for sample in samples:
                file.write(sample_line(sample))
                n += 1
        aside.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot write the samples: {error.strerror or error}") from error
    finally:
        aside.unlink(missing_ok=True)
    if not n:
        path.unlink()
    return n


def _is_complete(result: BenchmarkResult) -> bool:
    """Also where only a metric beside the primary one lacks samples, these are still to be asked for."""
    return all(row.status is Status.COMPLETE for row in result.rows if row.primary) and not any(
        row.n_errors for row in result.rows
    )
