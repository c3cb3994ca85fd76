"""``bridge serve``"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.ending import ended
from bridge.cli.given import Overrides, SpecFile
from bridge.errors import Problem, ServeError, SpecError, did_you_mean

if TYPE_CHECKING:
    from bridge.spec import ModelSpec, TaskSpec

TIMEOUT_S = 120.0


@ended
def command(
    spec: SpecFile = None,
    check: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Serve nothing: say what the endpoint at this URL (up to /v1) can do."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which of the spec's models; with --check, its name at the server."),
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(metavar="VARIABLE", help="With --check: the environment variable with the API key.")
    ] = None,
    log: Annotated[Path | None, typer.Option(metavar="FILE", help="The server's log.")] = None,
    overrides: Overrides = None,
) -> None:
    """Deploy a spec's model and stay, until Ctrl-C; or say what an endpoint can do.

    bridge serve spec.yaml

    bridge serve --check http://127.0.0.1:8000/v1
    """
    if (spec is None) == (check is None):
        raise SpecError([Problem("", "", "give either a spec to serve, or --check URL", "bridge serve --help")])
    if check is not None:
        asyncio.run(_check(check, model, _key(api_key_env)))
        return
    assert spec is not None
    from bridge.spec_file import load_spec

    task = load_spec(spec, overrides or [])
    chosen = _chosen(task, model)
    asyncio.run(_stay(task, chosen, log or Path("runs") / "serve" / f"{os.getpid()}.log"))


def _chosen(task: TaskSpec, name: str | None) -> ModelSpec:
    models = {one.name: one for one in task.all_models}
    if name is None and len(models) > 1:
        raise SpecError([Problem("--model", "", "is missing", f"the spec has {', '.join(models)}")])
    if name is not None and name not in models:
        hint = did_you_mean(name, models) or f"it has: {', '.join(models)}"
        raise SpecError([Problem("--model", "", f"the spec has no model {name!r}", hint)])
    chosen = models[name or next(iter(models))]
    if chosen.local is not None:
        raise SpecError([Problem("model", "local", "these weights are loaded where they are needed", "give 'deploy'")])
    if chosen.deploy is None:
        raise SpecError([Problem("model", "endpoint", "this model is served already", "--check says what it can do")])
    return chosen


async def _stay(task: TaskSpec, model: ModelSpec, log: Path) -> None:
    """Raises ServeError where the server does not come up, or dies."""
    from bridge.envs import ensure
    from bridge.serve import check, environment_of, serve

    if problems := check(model):
        raise SpecError(problems)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    python = await ensure(environment_of(model), progress=say)
    log.parent.mkdir(parents=True, exist_ok=True)
    async with serve(model, python=python, concurrency=task.concurrency, log=log.absolute(), progress=say) as served:
        print(f"base_url: {served.base_url}\nmodel: {served.model}", flush=True)
        await served.died.wait()
        raise ServeError(" ".join(served.reason))


# --check --------------------------------------------------------------------------------------------------------


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    if (key := os.environ.get(variable)) is None:
        raise SpecError([Problem("--api-key-env", "", f"the environment variable {variable} is not set")])
    return key


async def _check(url: str, model: str | None, key: str | None) -> None:
    from bridge.report.text import visible
    from bridge.serve.abilities import abilities
    from bridge.serve.probe import NoAnswer, model_ids

    try:
        known = await model_ids(url, api_key=key, timeout_s=TIMEOUT_S)
    except NoAnswer as error:
        raise ServeError(str(error)) from error
    if model is None and len(known) != 1:
        raise SpecError([Problem("--model", "", "is missing", f"the server has: {', '.join(known) or 'none'}")])
    name = model or known[0]
    print(visible(f"{url}: {name}"))
    async for one in abilities(url, name, api_key=key, timeout_s=TIMEOUT_S):
        print(visible(f"  {one.name:<22}{one.verdict:<9}{one.detail}").rstrip(), flush=True)
