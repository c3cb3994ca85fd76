"""TaskSpec → jobs, one for each dataset.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bridge.adapters.asking.options import option_problems, read_options
from bridge.adapters.asking.request import JUDGE, MODEL, told
from bridge.adapters.asking.results import JOB
from bridge.adapters.longbench_write.names import BACKEND
from bridge.adapters.longbench_write.rows import file_of
from bridge.adapters.longbench_write.settings import (
    ANSWERS,
    JUDGMENTS,
    LENGTHS,
    MAX_TOKENS,
    Judging,
    Stage,
    WriteJob,
    WriteOptions,
)
from bridge.backend import Endpoint, EnvSpec, Job, Task
from bridge.errors import Problem, Unsupported
from bridge.spec import DatasetSpec, TaskSpec

SOURCE = "the files are in evaluation/ of github.com/THUDM/LongWriter"


def jobs(task: Task, endpoint: Endpoint, env: EnvSpec) -> list[Job]:
    """Raises Unsupported for what ``problems`` tells."""
    if found := problems(task):
        raise Unsupported(found)
    return [_job(task, dataset, endpoint, env) for dataset in task.datasets]


def problems(task: Task) -> list[Problem]:
    found = option_problems(task.spec, BACKEND, WriteOptions)
    if not found:
        found += _stage_problems(task.spec)
    for dataset in task.datasets:
        found += _data_problems(task.spec, dataset)
    return found


def stages_of(spec: TaskSpec, options: WriteOptions) -> tuple[Stage, ...]:
    """What is done, in order; nothing can be scored that is not written."""
    default: tuple[Stage, ...] = ("length", "quality") if spec.judge else ("length",)
    chosen = options.stages or default
    return ("infer", *(stage for stage in ("length", "quality") if stage in chosen))


def _stage_problems(spec: TaskSpec) -> Iterator[Problem]:
    options = read_options(spec, BACKEND, WriteOptions)
    at = f"options.{BACKEND}"
    if options.stages is not None and not {"length", "quality"} & set(options.stages):
        yield Problem("", f"{at}.stages", "scores nothing", "add 'length', 'quality' or both")
    if "quality" in (options.stages or ()) and spec.judge is None:
        yield Problem("", f"{at}.stages", "'quality' needs a judge, and the spec names none", "set 'judge'")
    unused = {"judge", "judge_prompt"} & options.model_fields_set if "quality" not in stages_of(spec, options) else ()
    for name in sorted(unused):
        hint = "set 'judge'" if spec.judge is None else "add it to 'stages'"
        yield Problem("", f"{at}.{name}", "is about the stage 'quality', which is not done", hint)
    if options.judge_prompt is not None and not Path(options.judge_prompt).is_file():
        yield Problem("", f"{at}.judge_prompt", f"there is no file {options.judge_prompt}")


def _data_problems(spec: TaskSpec, dataset: DatasetSpec) -> Iterator[Problem]:
    at = f"datasets[{spec.datasets.index(dataset)}].path"
    path = spec.path_of(dataset)
    if path is None:
        yield Problem("", at, f"{dataset.name} is read from a file, and no hub has it", f"set 'path'; {SOURCE}")
    elif not (file := file_of(name_of(dataset), path)).is_file():
        yield Problem("", at, f"there is no file {file}", f"{SOURCE}")


def name_of(dataset: DatasetSpec) -> str:
    """The dataset's own name, without the backend's in front."""
    return dataset.name.removeprefix(f"{BACKEND}:")


def _job(task: Task, dataset: DatasetSpec, endpoint: Endpoint, env: EnvSpec) -> Job:
    described = _described(task, dataset)
    judge = endpoint.judge if described.judging else None
    return Job(
        id=f"{BACKEND}-{dataset.id}",
        backend=BACKEND,
        datasets=(dataset.id,),
        argv=("python", "-m", "bridge.adapters.longbench_write.inside", JOB),
        env_spec=env,
        files={JOB: described.model_dump_json(indent=2) + "\n"},
        env=told(MODEL, endpoint) | (told(JUDGE, judge) if judge else {}),
        timeout_s=task.spec.job_timeout_s,
        keep=(ANSWERS, LENGTHS, JUDGMENTS),
    )


def _described(task: Task, dataset: DatasetSpec) -> WriteJob:
    spec = task.spec
    options = read_options(spec, BACKEND, WriteOptions)
    path = spec.path_of(dataset)
    assert path is not None, "problems() has refused a dataset without a path"
    stages = stages_of(spec, options)
    return WriteJob(
        dataset=dataset.id,
        path=str(file_of(name_of(dataset), path).absolute()),
        limit=spec.limit_of(dataset),
        repeats=spec.repeats_of(dataset),
        concurrency=task.concurrency,
        model=task.model.name,
        request=task.generation(dataset).request_fields(MAX_TOKENS),
        stages=stages,
        judging=_judging(spec, options) if "quality" in stages else None,
    )


def _judging(spec: TaskSpec, options: WriteOptions) -> Judging:
    assert spec.judge is not None, "problems() has refused the stage without a judge"
    judge = options.judge
    return Judging(
        model=spec.judge.name,
        request={"temperature": judge.temperature, "max_tokens": judge.max_tokens, **judge.extra_body},
        attempts=judge.attempts,
        prompt=str(Path(options.judge_prompt).absolute()) if options.judge_prompt else None,
    )
