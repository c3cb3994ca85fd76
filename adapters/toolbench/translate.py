"""TaskSpec → jobs, one for each dataset.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from bridge.adapters.asking.options import option_problems, read_options
from bridge.adapters.asking.request import JUDGE, MODEL, told
from bridge.adapters.asking.results import JOB
from bridge.adapters.toolbench.names import BACKEND, HUB_ID, PASS_RATE, STATIC, WIN_RATE, Kind
from bridge.adapters.toolbench.settings import HUB_VARIABLES, KEEP, MAX_TOKENS, AnyJob, EvalJob, StaticJob, ToolOptions
from bridge.backend import Endpoint, EnvSpec, Job, Task
from bridge.errors import Problem, Unsupported
from bridge.spec import DatasetSpec, TaskSpec

HEEDED_BY: dict[str, set[Kind]] = {
    "style": {STATIC},
    "compat": {STATIC},
    "answers": {PASS_RATE, WIN_RATE},
    "judge": {PASS_RATE, WIN_RATE},
    "reference": {WIN_RATE},
}
"""Option → the datasets that it is about."""


def jobs(task: Task, endpoint: Endpoint, env: EnvSpec) -> list[Job]:
    """Raises Unsupported for what ``problems`` tells."""
    if found := problems(task):
        raise Unsupported(found)
    return [_job(task, dataset, endpoint, env) for dataset in task.datasets]


def problems(task: Task) -> list[Problem]:
    found = option_problems(task.spec, BACKEND, ToolOptions)
    options = ToolOptions() if found else read_options(task.spec, BACKEND, ToolOptions)
    if options.compat is not None and options.style == "tools":
        hint = "leave 'style' out, or 'compat'"
        found.append(Problem("", f"options.{BACKEND}.compat", "EvalScope's scores are of the style 'react'", hint))
    found += _unused(task, options)
    for dataset in task.datasets:
        at = f"datasets[{task.spec.datasets.index(dataset)}]"
        found += (
            _static_problems(task.spec, dataset, at)
            if kind_of(dataset) == STATIC
            else _eval_problems(task.spec, dataset, at, options)
        )
    return found


def _unused(task: Task, options: ToolOptions) -> Iterator[Problem]:
    """What none of the datasets would heed is refused, not dropped."""
    kinds = {kind_of(dataset) for dataset in task.datasets}
    alone = len(task.datasets) == len(task.spec.datasets)
    if alone and kinds == {STATIC} and task.spec.judge is not None:
        yield Problem("", "judge", f"{STATIC} asks no judge, and there is no other dataset", "leave it out")
    for name in sorted(options.model_fields_set):
        if not kinds & HEEDED_BY[name]:
            who = " or ".join(sorted(HEEDED_BY[name]))
            yield Problem("", f"options.{BACKEND}.{name}", f"is about {who}, which is not among the datasets")


def kind_of(dataset: DatasetSpec) -> Kind:
    """The dataset's own name, without the backend's in front."""
    return cast(Kind, dataset.name.removeprefix(f"{BACKEND}:"))


def _static_problems(spec: TaskSpec, dataset: DatasetSpec, at: str) -> Iterator[Problem]:
    path = spec.path_of(dataset)
    if path is not None and not path.exists():
        yield Problem("", f"{at}.path", f"there is no file or folder {path}")
    if path is None and find_spec("modelscope") is None:
        message = f"{STATIC} has no 'path', and fetching {HUB_ID} needs modelscope"
        yield Problem("", f"{at}.path", message, "set 'path', or pip install 'evalbridge[hub]'")


def _eval_problems(spec: TaskSpec, dataset: DatasetSpec, at: str, options: ToolOptions) -> Iterator[Problem]:
    kind = kind_of(dataset)
    path = spec.path_of(dataset)
    if path is None or not path.exists():
        what = f"there is no file or folder {path}" if path else f"{kind} judges answer files, and is given none"
        yield Problem("", f"{at}.path", what, "" if path else "set 'path' to ToolBench's answers")
    if spec.judge is None:
        yield Problem("", "judge", f"{kind} needs a judge, and the spec names none", "set 'judge'")
    if spec.repeats_of(dataset) > 1:
        hint = f"options.{BACKEND}.judge.votes is how often the judge is asked"
        yield Problem("", f"{at}.repeats", f"{kind} asks the model nothing that could be repeated", hint)
    if dataset.generation is not None:
        yield Problem("", f"{at}.generation", f"{kind} asks the model nothing", f"see options.{BACKEND}.judge")
    reference = options.reference
    if kind == WIN_RATE and (reference is None or not Path(reference).exists()):
        what = f"there is no folder {reference}" if reference else f"{kind} needs answers to compare with"
        yield Problem("", f"options.{BACKEND}.reference", what, "" if reference else "set it to their folder")


def _job(task: Task, dataset: DatasetSpec, endpoint: Endpoint, env: EnvSpec) -> Job:
    described = _described(task, dataset)
    judge = endpoint.judge if isinstance(described, EvalJob) else None
    from_hub = isinstance(described, StaticJob) and described.path is None
    return Job(
        id=f"{BACKEND}-{dataset.id}",
        backend=BACKEND,
        datasets=(dataset.id,),
        argv=("python", "-m", "bridge.adapters.toolbench.inside", JOB),
        env_spec=env,
        files={JOB: AnyJob(job=described).model_dump_json(indent=2) + "\n"},
        env=told(MODEL, endpoint) | (told(JUDGE, judge) if judge else {}),
        pass_env=HUB_VARIABLES if from_hub else (),
        timeout_s=task.spec.job_timeout_s,
        keep=KEEP[described.kind],
    )


def _described(task: Task, dataset: DatasetSpec) -> StaticJob | EvalJob:
    options = read_options(task.spec, BACKEND, ToolOptions)
    return (
        _static_job(task, dataset, options)
        if kind_of(dataset) == STATIC
        else _eval_job(task, dataset, kind_of(dataset), options)
    )


def _static_job(task: Task, dataset: DatasetSpec, options: ToolOptions) -> StaticJob:
    path = task.spec.path_of(dataset)
    return StaticJob(
        dataset=dataset.id,
        limit=task.spec.limit_of(dataset),
        concurrency=task.concurrency,
        path=str(path.absolute()) if path else None,
        subsets=dataset.subsets,
        repeats=task.spec.repeats_of(dataset),
        model=task.model.name,
        request=task.generation(dataset).request_fields(MAX_TOKENS),
        style=options.style,
        compat=options.compat,
    )


def _eval_job(task: Task, dataset: DatasetSpec, kind: Kind, options: ToolOptions) -> EvalJob:
    path, judge = task.spec.path_of(dataset), task.spec.judge
    assert path is not None and judge is not None and kind != STATIC, "problems() has refused the rest"
    of_judge = options.judge
    reference = str(Path(options.reference).absolute()) if options.reference and kind == WIN_RATE else None
    return EvalJob(
        kind=kind,
        dataset=dataset.id,
        limit=task.spec.limit_of(dataset),
        concurrency=task.concurrency,
        path=str(path.absolute()),
        answers=options.answers or task.model.name,
        subsets=dataset.subsets,
        reference=reference,
        judge=judge.name,
        request={"temperature": of_judge.temperature, "max_tokens": of_judge.max_tokens, **of_judge.extra_body},
        votes=of_judge.votes,
        attempts=of_judge.attempts,
    )
