"""The job, run as ``python -m bridge.adapters.toolbench.inside job.json`` in its folder."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from bridge.adapters.asking.model import Model
from bridge.adapters.asking.request import JUDGE, MODEL
from bridge.adapters.toolbench import eval_stages, static_stages
from bridge.adapters.toolbench.rows import DataError
from bridge.adapters.toolbench.settings import AnyJob, EvalJob, StaticJob


def main(job_file: str) -> None:
    job = AnyJob.model_validate_json(Path(job_file).read_bytes()).job
    try:
        work, prefix = prepared(job)
    except DataError as error:
        raise SystemExit(str(error)) from None
    asyncio.run(_with_model(prefix, work))


def prepared(job: StaticJob | EvalJob) -> tuple[Callable[[Model], Awaitable[None]], str]:
    """The job's work, and which of its two models it asks. Raises DataError."""
    if isinstance(job, EvalJob):
        cases = eval_stages.prepared(job)
        return lambda judge: eval_stages.run(job, cases, judge), JUDGE
    asks = static_stages.prepared(job)
    return lambda model: static_stages.run(job, asks, model), MODEL


async def _with_model(prefix: str, work: Callable[[Model], Awaitable[None]]) -> None:
    async with Model.from_environment(prefix) as model:
        await work(model)


if __name__ == "__main__":
    main(sys.argv[1])
