"""Job → Outcome: writes the job's files, runs its argv in its environment, and says how it ended."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from bridge.backend import Job, Outcome
from bridge.confine import Confinement, environment
from bridge.errors import OutputError
from bridge.process import ProcessExit, clean_env, run_process
from bridge.rundir import write_atomic
from bridge.sandbox.room import Room, command

LOG = "log.txt"
OUTCOME = "outcome.json"
DIGEST = "job.sha256"
TAIL_LINES = 20


@dataclass
class StopSignal:
    """Why and whether jobs are to stop; set by whoever notices first."""

    event: asyncio.Event
    cause: Literal["interrupted", "endpoint"] | None = None
    reason: str = ""

    def stop(self, cause: Literal["interrupted", "endpoint"], reason: str) -> None:
        if not self.event.is_set():
            self.cause, self.reason = cause, reason
            self.event.set()


def digest(job: Job) -> str:
    """Hash of what a job does; of a job translated for the dry-run endpoint it is the same in every run."""
    what = [job.argv, sorted(job.files.items()), sorted(job.env.items()), job.env_spec.name, job.env_spec.version]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


async def launch(
    job: Job,
    *,
    model: str,
    python: Path,
    folder: Path,
    job_digest: str,
    stop: StopSignal,
    failed_marker: str,
    confined: Confinement = "",
    room: Room | None = None,
) -> Outcome:
    """Runs the job to its end, in the room where there is one. Never raises for what it does: the outcome says it."""
    _prepare(job, folder, job_digest)
    started = datetime.now(UTC)
    argv = [str(python) if part == "python" and not index else part for index, part in enumerate(job.argv)]
    ended = await run_process(
        argv if room is None else command(room, argv),
        cwd=folder,
        env=clean_env(job.env, job.pass_env) | environment(job, confined),
        log=folder / LOG,
        timeout_s=job.timeout_s,
        stop=stop.event,
    )
    outcome = _outcome(job, model, folder, ended, stop).model_copy(
        update={
            "started_at": started.isoformat(timespec="seconds"),
            "failed_marker": failed_marker,
            "sandbox": confined,
        }
    )
    write_atomic(folder / OUTCOME, outcome.model_dump_json(indent=2))
    return outcome


def not_launched(job: Job, *, model: str, folder: Path, reason: str, failed_marker: str) -> Outcome:
    """The outcome of a job whose environment or model was not to be had; what an earlier try left is still there."""
    return Outcome(
        job=job.id,
        backend=job.backend,
        model=model,
        dir=folder,
        exit_code=None,
        reason=reason,
        failed_marker=failed_marker,
    )


def earlier_outcome(folder: Path, job_digest: str) -> Outcome | None:
    """How the same job ended before; None where it never did, or was another job."""
    try:
        if (folder / DIGEST).read_text(encoding="utf-8") != job_digest:
            return None
        outcome = Outcome.model_validate_json((folder / OUTCOME).read_bytes())
    except (OSError, ValueError):
        return None
    return outcome.model_copy(update={"dir": folder})


def _prepare(job: Job, folder: Path, job_digest: str) -> None:
    try:
        _clear(folder, _kept(job, folder, job_digest))
        for name, text in job.files.items():
            write_atomic(folder / name, text)
        write_atomic(folder / DIGEST, job_digest)
    except OSError as error:
        raise OutputError(f"{folder}: cannot write the job's files: {error.strerror or error}") from error


def _kept(job: Job, folder: Path, job_digest: str) -> frozenset[str]:
    """A job goes on from its own earlier output only, never from that of a job with other settings."""
    same = (folder / DIGEST).is_file() and (folder / DIGEST).read_text(encoding="utf-8") == job_digest
    return frozenset(job.keep) if same else frozenset()


def _clear(folder: Path, keep: frozenset[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        if entry.name in keep:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _outcome(job: Job, model: str, folder: Path, ended: ProcessExit, stop: StopSignal) -> Outcome:
    stopped: Literal["timeout", "interrupted", "endpoint"] | None = None
    if ended.timed_out:
        stopped = "timeout"
    elif ended.stopped:
        stopped = stop.cause
    return Outcome(
        job=job.id,
        backend=job.backend,
        model=model,
        dir=folder,
        exit_code=ended.exit_code,
        stopped=stopped,
        reason=_reason(job, folder, ended, stop),
        duration_s=ended.duration_s,
        log_tail=ended.log_tail[-TAIL_LINES:],
    )


def _reason(job: Job, folder: Path, ended: ProcessExit, stop: StopSignal) -> str:
    if ended.timed_out:
        return f"stopped after job_timeout_s = {job.timeout_s:g} s; see {folder / LOG}"
    if ended.stopped:
        return stop.reason
    if ended.signal is not None:
        return f"killed by signal {ended.signal}; see {folder / LOG}"
    return f"ended with exit code {ended.exit_code}; see {folder / LOG}" if ended.exit_code else ""
