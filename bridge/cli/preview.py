"""``bridge preview``"""

from __future__ import annotations

import json
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.ending import ended
from bridge.cli.given import Overrides, what_else

if TYPE_CHECKING:
    from bridge.backend import Preview, ShowsPrompts, Task


@ended
def command(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset of native, or of the spec (its alias).")],
    n: Annotated[int, typer.Option("--n", min=1, help="How many samples.")] = 3,
    spec: Annotated[Path | None, typer.Option(metavar="SPEC", help="Take the dataset as this spec has it.")] = None,
    path: Annotated[str | None, typer.Option(help="Without a spec: its file or folder.")] = None,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per sample: the request as it is.")] = False,
) -> None:
    """Print exactly what would be sent for the first samples of a dataset, and ask nothing."""
    backend, task = _task(dataset, spec, path, overrides or [])
    for shown in islice(backend.preview(task), n):
        as_it_is = {"problem": shown.problem} if shown.problem else dict(shown.request)
        print(json.dumps(as_it_is, ensure_ascii=False) if as_json else "\n".join(_lines(shown)))


def _task(name: str, spec: Path | None, path: str | None, overrides: list[str]) -> tuple[ShowsPrompts, Task]:
    """The task of the one dataset, its first model standing for all. Raises SpecError."""
    from bridge.backend import ShowsPrompts, Task
    from bridge.errors import Problem, SpecError, did_you_mean
    from bridge.plan import make_plan
    from bridge.spec_file import read_spec, spec_from_mapping

    if spec is not None and path is not None:
        raise SpecError(
            [Problem("--path", "", "is for a preview without a spec", "with one: --set datasets[0].path=…")]
        )
    if spec is not None:
        whole = read_spec(spec, overrides, what_else=what_else).spec
    else:
        model = {"name": "model", "endpoint": {"base_url": "http://127.0.0.1:8000/v1"}}
        one = {"name": name, "backend": "native", **({"path": path} if path else {})}
        whole = spec_from_mapping({"model": model, "datasets": [one]}, overrides)
    ids = [dataset.id for dataset in whole.datasets]
    if spec is None:
        name = ids[0]
    if name not in ids:
        hint = did_you_mean(name, ids) or f"there are: {', '.join(ids)}"
        raise SpecError([Problem(str(spec), "datasets", f"there is no dataset {name!r}", hint)])
    planned = next(one for one in make_plan(whole).tasks if name in [dataset.id for dataset in one.task.datasets])
    if not isinstance(planned.backend, ShowsPrompts):
        message = f"{planned.backend.name} makes its prompts itself, in its own environment"
        raise SpecError([Problem("", f"datasets[{ids.index(name)}].backend", message, "native shows its prompts")])
    chosen = tuple(dataset for dataset in planned.task.datasets if dataset.id == name)
    return planned.backend, Task(whole, planned.task.model, chosen, planned.task.concurrency)


def _parts(content: list[dict[str, Any]]) -> str:
    """A message with images; of one that is sent along, the beginning."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    return re.sub(r"(data:image/[\w.+-]+;base64,.{24})[^\"]*", r"\1…", text)


def _lines(shown: Preview) -> list[str]:
    where = f"{shown.subset}/{shown.sample_id}" if shown.subset else shown.sample_id
    if shown.problem:
        return [f"=== {where}", f"cannot be asked: {shown.problem}", ""]
    settings = {name: value for name, value in shown.request.items() if name not in ("model", "messages")}
    lines = [f"=== {where} · prompt {shown.prompt_sha256[:12]}"]
    for message in shown.request["messages"]:
        content = message["content"]
        lines += [f"--- {message['role']}", content if isinstance(content, str) else _parts(content)]
    told = json.dumps(settings, ensure_ascii=False)
    lines += [f"--- settings: {told}", f"--- target: {shown.target}"]
    for messages in shown.to_judge:
        lines += [f"--- judge, {message['role']}\n{message['content']}" for message in messages]
    return [*lines, ""]
