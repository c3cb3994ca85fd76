"""Runs a backend's jobs as ``launch`` does, without the pipeline: files written, ``keep`` honoured, a real process."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.backend import Job, Outcome

ENV = {"PATH": os.environ["PATH"], "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}


async def run_job(job: Job, folder: Path, model: str = "tiny") -> Outcome:
    """Runs the job to its end."""
    async with started(job, folder) as process:
        _, stderr = await process.communicate()
    return outcome_of(job, folder, process.returncode, stderr.decode(), model)


@asynccontextmanager
async def started(job: Job, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The job while it runs; killed at the end of the block, as a power cut would."""
    prepare(job, folder)
    argv = [sys.executable if not at else part for at, part in enumerate(job.argv)]
    process = await asyncio.create_subprocess_exec(
        *argv, cwd=folder, env={**ENV, **job.env}, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def prepare(job: Job, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        if entry.name not in job.keep:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for name, text in job.files.items():
        (folder / name).write_text(text, encoding="utf-8")


def outcome_of(job: Job, folder: Path, exit_code: int | None, stderr: str = "", model: str = "tiny") -> Outcome:
    return Outcome(
        job=job.id,
        backend=job.backend,
        model=model,
        dir=folder,
        exit_code=exit_code,
        reason=f"ended with exit code {exit_code}" if exit_code else "",
        started_at="2026-01-01T00:00:00+00:00",
        log_tail=tuple(stderr.splitlines()[-20:]),
    )
