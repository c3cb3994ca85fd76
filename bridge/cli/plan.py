"""``bridge plan``"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.ending import ended
from bridge.cli.given import ApiKeyEnv, Backend, BaseUrl, Datasets, Given, Limit, Model, Overrides, SpecFile, Unsafe

if TYPE_CHECKING:
    from bridge.backend import Job
    from bridge.plan import Plan


@ended
def command(
    spec: SpecFile = None,
    backend: Backend = None,
    overrides: Overrides = None,
    base_url: BaseUrl = None,
    model: Model = None,
    datasets: Datasets = None,
    limit: Limit = None,
    api_key_env: ApiKeyEnv = None,
    unsafe: Unsafe = False,
    files: Annotated[bool, typer.Option("--files", help="Print the files' content too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON, files and all.")] = False,
) -> None:
    """Show the jobs, files and command lines that a run would have; start nothing and ask nothing."""
    source = Given(spec, overrides, backend, base_url, model, datasets, limit, api_key_env).read()
    from bridge.runs import prepare

    with source.places_named():
        plan = prepare(source.spec, unsafe=unsafe)
        jobs = list(_jobs(plan))
    if as_json:
        print(
            json.dumps({"jobs": [{"model": name, **_as_json(job, sandbox)} for name, job, sandbox in jobs]}, indent=2)
        )
        return
    for name, job, sandbox in jobs:
        print("\n".join(_lines(name, job, sandbox, files)))


def _jobs(plan: Plan) -> Iterator[tuple[str, Job, str]]:
    """Model, job, and what the job runs in."""
    from bridge.confine import confinement

    for planned in plan.tasks:
        for job in planned.jobs():
            yield planned.task.model.name, job, confinement(job, planned.task)


def _as_json(job: Job, sandbox: str) -> dict[str, Any]:
    return {
        "job": job.id,
        "backend": job.backend,
        "backend_version": job.env_spec.version,
        "environment": job.env_spec.name,
        "datasets": list(job.datasets),
        "argv": list(job.argv),
        "env": dict(job.env),
        "pass_env": list(job.pass_env),
        "timeout_s": job.timeout_s,
        "runs": job.runs,
        "sandbox": sandbox,
        "files": dict(job.files),
    }


def _lines(model: str, job: Job, sandbox: str, contents: bool) -> Iterator[str]:
    yield f"{job.id}: {model} through {job.backend} {job.env_spec.version}".rstrip()
    yield f"  datasets  {' '.join(job.datasets)}"
    yield f"  command   {shlex.join(job.argv)}"
    if sandbox:
        yield f"  sandbox   {sandbox}{f', for {job.runs} that is run as code' if job.runs != 'nothing' else ''}"
    for variable, value in job.env.items():
        yield f"  variable  {variable}={shlex.quote(value)}"
    for variable in job.pass_env:
        yield f"  variable  {variable}, from bridge's own environment"
    for name, text in job.files.items():
        yield f"  file      {name} ({len(text.encode()):,} bytes)"
        if contents:
            yield from (f"            {line}" for line in text.splitlines())
    yield ""
