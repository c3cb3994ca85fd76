"""``bridge perf``: serves the model, measures it from a process of its own, and writes the report."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from bridge.backend import BenchmarkResult, EnvSpec, Job, Outcome
from bridge.envs import ensure
from bridge.errors import BridgeError, EnvError, Interrupted, OutputError, Problem, ServeError, SpecError
from bridge.invocation import clear_about_the_disk, in_a_loop, interruptible, unless_stopped
from bridge.launch import StopSignal, digest, launch
from bridge.manifest import BackendUsed, Manifest, bridge_version, new_manifest, read_manifest
from bridge.perf_spec import PerfSpec
from bridge.progress import JobProgress, Silent, Watcher
from bridge.report.merge import merge
from bridge.report.read import read_report
from bridge.report.schema import ErrorKind, ModelInfo, Report, ReportError, ResultRow, Status, Usage
from bridge.report.write import write_report
from bridge.rundir import RunDir, write_atomic
from bridge.seal import write_seal
from bridge.serve import Served, check, describe, environment_of, serve
from bridge.spec_file import dump_spec
from bridge.spec_file.perf import recorded_perf_spec

JOB = "perf"
DATA = "perf.json"
"""Beside the report: what its plots show."""
RESULT = "result.json"
FAILED = "failed.json"
KINDS = {ServeError.exit_code: ErrorKind.SERVE, OutputError.exit_code: ErrorKind.OUTPUT}
"""Why the job failed, by its exit code."""
POLL_S = 0.5
BASE_URL_ENV, SERVED_MODEL_ENV, API_KEY_NAME_ENV = "BRIDGE_BASE_URL", "BRIDGE_SERVED_MODEL", "BRIDGE_API_KEY_NAME"


def run_perf(
    spec: PerfSpec, *, output: Path | None = None, watcher: Watcher | None = None, argv: Sequence[str] = ()
) -> Report:
    """Measures, and returns the report, which is also in the run directory.

    The same spec into the same folder keeps the load points that are done. Raises SpecError before anything starts,
    and OutputError where the folder cannot be used; what else fails is in the report.
    """
    if problems := check(spec.model):
        raise SpecError(problems)
    rundir = RunDir((output or default_output(spec)).absolute())
    with rundir.locked(), clear_about_the_disk(rundir):
        manifest = _begin(rundir, spec, argv)
        if (report := _finished(rundir, spec)) is not None:
            return report
        return in_a_loop(_run(spec, rundir, manifest, watcher or Silent()))


def remake_perf_report(rundir: RunDir, manifest: Manifest) -> Report:
    """The report of what the job has left, written anew."""
    spec = recorded_perf_spec(rundir.spec)
    earlier = read_report(rundir.report_json) if rundir.report_json.exists() else None
    kinds = (ErrorKind.INTERRUPTED, ErrorKind.ENV, ErrorKind.SERVE)
    errors = [error for error in (earlier.errors if earlier else ()) if error.kind in kinds]
    model = earlier.models[0] if earlier and earlier.models else describe(spec.model)
    return _report(spec, rundir, manifest, model, errors)


def default_output(spec: PerfSpec) -> Path:
    return Path("runs") / f"{spec.name}-{datetime.now():%Y%m%d-%H%M%S}"


def _begin(rundir: RunDir, spec: PerfSpec, argv: Sequence[str]) -> Manifest:
    earlier = read_manifest(rundir)
    if earlier is not None:
        if earlier.spec_sha256 != spec.sha256():
            message = f"{rundir.root} holds the run of another spec (its spec.yaml differs from this one)"
            raise SpecError([Problem("--dir", "", message, "give another folder, or the same spec to go on")])
        return earlier
    if any(entry.name != ".lock" for entry in rundir.root.iterdir()):
        raise SpecError(
            [Problem("--dir", "", f"{rundir.root} holds files but no run", "give an empty or a new folder")]
        )
    used = {"native": BackendUsed(version=bridge_version(), env_lock_sha256=None)}
    manifest = new_manifest(spec.name, spec.sha256(), argv, used)
    write_atomic(rundir.spec, dump_spec(spec))
    write_atomic(rundir.manifest, manifest.model_dump_json(indent=2))
    return manifest


def _finished(rundir: RunDir, spec: PerfSpec) -> Report | None:
    if not rundir.report_json.exists():
        return None
    try:
        report = read_report(rundir.report_json)
    except OutputError:
        return None
    return report if report.status is Status.COMPLETE and report.run.spec_sha256 == spec.sha256() else None


# Measuring --------------------------------------------------------------------------------------------------------


async def _run(spec: PerfSpec, rundir: RunDir, manifest: Manifest, watcher: Watcher) -> Report:
    interrupt = StopSignal(asyncio.Event())
    errors: list[ReportError] = []
    info = describe(spec.model)
    with interruptible(interrupt):
        try:
            info = await _measure(spec, rundir, watcher, interrupt, errors)
        except SpecError:
            raise
        except Interrupted:
            pass  # told below
        except BridgeError as error:
            first, _, rest = str(error).partition("\n")
            errors.append(ReportError(kind=_kind(error), message=first, hint=rest, model=spec.model.name))
    if interrupt.event.is_set() and interrupt.cause == "interrupted":
        errors.append(ReportError(kind=ErrorKind.INTERRUPTED, message=interrupt.reason))
    return _report(spec, rundir, manifest, info, errors)


async def _measure(
    spec: PerfSpec, rundir: RunDir, watcher: Watcher, interrupt: StopSignal, errors: list[ReportError]
) -> ModelInfo:
    """Straight to the server: a gateway in between would be measured too. Raises ServeError, EnvError."""
    async with _served(spec, rundir, watcher, interrupt) as served:
        watcher.stage(f"model {spec.model.name}", "done", served.shown_url or served.base_url)
        errors += _about_proxies(served)
        async with _noticing(served, interrupt):
            outcome = await _job(spec, rundir, watcher, interrupt, served)
        errors += _about_the_job(outcome, served)
        return served.info


@asynccontextmanager
async def _served(spec: PerfSpec, rundir: RunDir, watcher: Watcher, interrupt: StopSignal) -> AsyncIterator[Served]:
    stage = f"model {spec.model.name}"
    python = await unless_stopped(interrupt, ensure(environment_of(spec.model), progress=_telling(watcher, stage)))
    async with AsyncExitStack() as stack:
        serving = serve(
            spec.model,
            python=python,
            concurrency=spec.most_in_flight,
            log=rundir.serve_log(spec.model.name),
            progress=_telling(watcher, stage),
        )
        yield await unless_stopped(interrupt, stack.enter_async_context(serving))


@asynccontextmanager
async def _noticing(served: Served, interrupt: StopSignal) -> AsyncIterator[None]:
    """A server that was started here and dies ends the measurement."""

    async def wait() -> None:
        await served.died.wait()
        interrupt.stop("endpoint", " ".join(served.reason))

    waiting = asyncio.create_task(wait())
    try:
        yield
    finally:
        waiting.cancel()


async def _job(spec: PerfSpec, rundir: RunDir, watcher: Watcher, interrupt: StopSignal, served: Served) -> Outcome:
    plain = job_of(spec)
    where = {BASE_URL_ENV: served.base_url, SERVED_MODEL_ENV: served.model}
    if served.api_key_env:
        where[API_KEY_NAME_ENV] = served.api_key_env
    keys = (served.api_key_env,) if served.api_key_env else ()
    job = Job(**{**vars(plain), "env": where, "pass_env": keys})
    folder = rundir.job(JOB)
    # The job's process takes as long to load what measures as this one to load what comes after it.
    asyncio.get_running_loop().run_in_executor(None, _load_the_report)
    with _watched(watcher, folder):
        return await launch(
            job,
            model=spec.model.name,
            python=await ensure(job.env_spec),
            folder=folder,
            job_digest=digest(plain),
            stop=interrupt,
            failed_marker="",
        )


def _load_the_report() -> None:
    for name in ("html", "markdown", "sample_index"):
        import_module(f"bridge.report.{name}")


def job_of(spec: PerfSpec) -> Job:
    """What measures, without where the server is."""
    told = {"model": spec.model.name, "version": bridge_version(), "perf": spec.perf.model_dump(mode="json")}
    return Job(
        id=JOB,
        backend="native",
        datasets=("perf",),
        argv=("python", "-m", "bridge.native.perf", "job.json"),
        env_spec=EnvSpec("bridge", version=bridge_version()),
        files={"job.json": json.dumps(told, indent=2)},
        keep=("points",),
    )


def _telling(watcher: Watcher, stage: str) -> Callable[[str], None]:
    return lambda line: watcher.stage(stage, "running", line)


@contextmanager
def _watched(watcher: Watcher, folder: Path) -> Iterator[None]:
    """Passes on what the job says of itself."""

    async def look() -> None:
        while True:
            watcher.jobs([_progress(folder)])
            await asyncio.sleep(POLL_S)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()


def _progress(folder: Path) -> JobProgress:
    try:
        told = json.loads((folder / "progress.json").read_bytes())
    except (OSError, ValueError):
        return JobProgress(JOB, "running")
    return JobProgress(JOB, "running", done=told["done"], stage=told["stage"], failed=told["failed"])


# What became of it ------------------------------------------------------------------------------------------------


def _kind(error: BridgeError) -> ErrorKind:
    return ErrorKind.ENV if isinstance(error, EnvError) else ErrorKind.SERVE


def _about_proxies(served: Served) -> Iterator[ReportError]:
    """Said once, where somebody may expect it: the way through a proxy would be measured too."""
    scheme = served.base_url.partition(":")[0]
    name = f"{scheme}_proxy"
    proxy = os.environ.get(name) or os.environ.get(name.upper())
    if proxy and not any(host in served.base_url for host in ("//127.", "//localhost", "//[::1]")):
        message = f"{name} is set and was not used: the server was asked directly"
        yield ReportError(kind=ErrorKind.WARNING, message=message)


def _about_the_job(outcome: Outcome, served: Served) -> Iterator[ReportError]:
    """Why there is no result, where there is none; what is in the result tells the rest."""
    measured = (outcome.dir / RESULT).exists()
    if outcome.stopped == "endpoint":
        kind = ErrorKind.UNANSWERED if measured else ErrorKind.SERVE
        yield ReportError(kind=kind, message=" ".join(served.reason))
    if measured or outcome.stopped is not None:
        return
    kind, message = ErrorKind.BACKEND, outcome.reason or "the job left no result"
    try:
        failed = json.loads((outcome.dir / FAILED).read_bytes())
        message = failed["message"]
        if failed["exit_code"] == SpecError.exit_code:
            raise SpecError([Problem("", "", message)])
        kind = KINDS.get(failed["exit_code"], kind)
    except (OSError, ValueError, KeyError):
        pass
    yield ReportError(kind=kind, message=message, backend="native", dataset="perf")


def _report(
    spec: PerfSpec, rundir: RunDir, manifest: Manifest, info: ModelInfo, errors: Sequence[ReportError]
) -> Report:
    folder = rundir.job(JOB)
    found = _read_result(folder)
    samples = _samples(rundir, folder, found)
    rows = [_row(raw, samples) for raw in found.get("rows", ())]
    told = [ReportError.model_validate({"model": spec.model.name, **raw}) for raw in found.get("errors", ())]
    report = merge(
        [BenchmarkResult("perf", tuple(rows), errors=tuple(told))] if rows or told else [],
        run_id=manifest.run_id,
        name=spec.name,
        started_at=manifest.started_at,
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        bridge_version=manifest.bridge_version,
        spec_sha256=manifest.spec_sha256,
        argv=manifest.argv,
        host=manifest.host,
        models=[info],
        usage=_usage(found),
        errors=errors,
        datasets=["perf"],
    )
    data = {name: found.get(name) for name in ("points", "search", "knee", "pareto")}
    write_atomic(rundir.root / DATA, json.dumps(data))
    report = write_report(rundir, report)
    write_seal(rundir)
    return report


def _read_result(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / RESULT).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise OutputError(f"{folder / RESULT}: cannot be read: {error}") from error
    return found if isinstance(found, dict) else {}


def _samples(rundir: RunDir, folder: Path, found: dict[str, Any]) -> dict[str, str]:
    """Puts each point's requests where the report's samples are; by point, the path in the run directory."""
    paths = {}
    for point, name in found.get("samples", {}).items():
        target = rundir.root / "samples" / "native" / name
        parts = sorted((folder / "points" / name.removeprefix("perf-").removesuffix(".jsonl")).glob("requests-*.jsonl"))
        if not parts:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            for part in parts:
                with part.open("rb") as lines:
                    shutil.copyfileobj(lines, out)
        paths[point] = str(target.relative_to(rundir.root))
    return paths


def _row(raw: dict[str, Any], samples: dict[str, str]) -> ResultRow:
    """The overall rows stand for one point, whose rows have the samples: they are not of them alone."""
    return ResultRow.model_validate({**raw, "samples": samples.get(raw.get("subset") or "")})


def _usage(found: dict[str, Any]) -> Usage:
    names = ("sent", "good", "prompt_tokens", "completion_tokens")
    total = {name: sum(point["counts"][name] for point in found.get("points", ())) for name in names}
    return Usage(
        requests=total["sent"],
        failed=total["sent"] - total["good"],
        prompt_tokens=total["prompt_tokens"],
        completion_tokens=total["completion_tokens"],
    )
