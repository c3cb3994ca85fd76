"""TaskSpec → jobs: at most one for each environment; of a local model, one.  Pure."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from bridge.adapters.asking.options import read_options
from bridge.adapters.asking.request import JUDGE, MODEL, told
from bridge.adapters.vlmevalkit.catalogue import Entry, entry
from bridge.adapters.vlmevalkit.check import problems
from bridge.adapters.vlmevalkit.environments import FULL, INSIDE, LEAN, WITH_TORCH
from bridge.adapters.vlmevalkit.local import WEIGHTS_FROM, loaded, surroundings
from bridge.adapters.vlmevalkit.names import BACKEND
from bridge.adapters.vlmevalkit.options import KitOptions
from bridge.backend import Endpoint, EnvSpec, Job, Task
from bridge.errors import Unsupported
from bridge.spec import DatasetSpec, GenerationSpec, JsonObject

JOB = "job.json"
DEFAULT_FRAMES = 8
PASSED_ON = ("LMUData", "HF_HOME", "HF_ENDPOINT", "HTTPS_PROXY", "HTTP_PROXY")
"""Where tables lie, and how the way to a hub leads, for tables that are not there."""


def jobs(task: Task, endpoint: Endpoint) -> list[Job]:
    """Raises Unsupported for what ``problems`` tells."""
    if found := problems(task):
        raise Unsupported(found)
    options = read_options(task.spec, BACKEND, KitOptions)
    by_env: dict[str, list[DatasetSpec]] = {}
    for dataset in task.datasets:
        env = WITH_TORCH if task.model.local else env_of(dataset, options)
        by_env.setdefault(env.name, []).append(dataset)
    envs = {env.name: env for env in (LEAN, FULL, WITH_TORCH)}
    return [_job(task, datasets, endpoint, envs[name], options) for name, datasets in by_env.items()]


def env_of(dataset: DatasetSpec, options: KitOptions) -> EnvSpec:
    """Lean where nothing heavier is needed; an upstream checkout imports more."""
    full = entry_of(dataset).env == "full" or options.scorer.get(dataset.id) == "math" or options.source
    return FULL if full else LEAN


def entry_of(dataset: DatasetSpec) -> Entry:
    found = entry(name_of(dataset))
    assert found is not None, "the plan has refused names that are not known"
    return found


def name_of(dataset: DatasetSpec) -> str:
    """The dataset's own name, without the backend's in front."""
    return dataset.name.removeprefix(f"{BACKEND}:")


def judge_of(task: Task, dataset: DatasetSpec, options: KitOptions) -> bool:
    """Whether the spec's judge scores this dataset; without it, exact matching does."""
    if task.spec.judge is None:
        return False
    if entry_of(dataset).name == "custom_vqa":
        return options.scorer.get(dataset.id) == "judge"
    need = entry_of(dataset).judge
    return need == "required" or (need == "optional" and options.judge_for == "all")


def _job(task: Task, datasets: list[DatasetSpec], endpoint: Endpoint, env: EnvSpec, options: KitOptions) -> Job:
    judged = any(judge_of(task, dataset, options) for dataset in datasets)
    judge = endpoint.judge or Endpoint("", task.spec.judge.name) if judged and task.spec.judge else None
    local = task.model.local
    described = {
        "endpoint": {"model": endpoint.model, "url_env": f"{MODEL}_URL", "key_env": f"{MODEL}_KEY"},
        **({"local": loaded(local)} if local else {}),
        "judge": {"model": judge.model, "url_env": f"{JUDGE}_URL", "key_env": f"{JUDGE}_KEY"} if judge else None,
        "concurrency": task.concurrency,
        "stand_ins": list(env.check[2:]),
        "source": _absolute(options.source),
        "lmu_data": _absolute(options.lmu_data),
        "one_by_one": options.one_by_one or local is not None,
        "datasets": [_item(task, dataset, at, options) for at, dataset in enumerate(datasets)],
    }
    return Job(
        id=env.name,
        backend=BACKEND,
        datasets=tuple(dataset.id for dataset in datasets),
        argv=("python", str(INSIDE), JOB),
        env_spec=env,
        files={JOB: json.dumps(described, indent=1, ensure_ascii=False) + "\n"},
        env=(surroundings(local) if local else told(MODEL, endpoint)) | (told(JUDGE, judge) if judge else {}),
        pass_env=(*PASSED_ON, *WEIGHTS_FROM) if local else PASSED_ON,
        timeout_s=task.spec.job_timeout_s,
    )


def _item(task: Task, dataset: DatasetSpec, at: int, options: KitOptions) -> JsonObject:
    """What the launcher is told. Folders are numbers: VLMEvalKit replaces suffixes anywhere in a path."""
    found, spec = entry_of(dataset), task.spec
    judged = judge_of(task, dataset, options)
    custom_vqa = found.name == "custom_vqa"
    return {
        "id": dataset.id,
        "dir": f"datasets/{at}",
        "name": found.name,
        "class": found.family,
        "kwargs": _kwargs(found, options),
        "layout": found.layout,
        "parts": list(found.parts),
        "path": _absolute(spec.path_of(dataset)),
        "needs_answers": found.custom or found.answers == "withheld",
        "group": found.group,
        "split": dataset.split,
        "subsets": list(dataset.subsets),
        "limit": spec.limit_of(dataset),
        "repeats": spec.repeats_of(dataset),
        "payload": _payload(task.generation(dataset)),
        "image": options.image.model_dump(),
        "split_thinking": options.split_thinking,
        "system_prompt": options.system_prompt,
        "custom_prompt": options.custom_prompt,
        "pred_format": found.pred_format,
        "judge": "judge" if judged else "exact_matching" if found.judge == "optional" else "none",
        "judge_name": _judge_name(found, task) if judged else "exact_matching",
        "judge_args": options.judge_args.get(dataset.id, {}),
        "scorer": options.scorer.get(dataset.id, "exact") if custom_vqa else None,
    }


def _kwargs(found: Entry, options: KitOptions) -> JsonObject:
    """Arguments of a video dataset's class; VLMEvalKit's presets are such arguments."""
    if found.modality != "video" or found.kwargs:
        return dict(found.kwargs)
    video = options.video
    frames: JsonObject = {"fps": video.fps} if video.fps else {"nframe": video.nframe or DEFAULT_FRAMES}
    return frames | ({"use_subtitle": True} if video.use_subtitle else {})


def _judge_name(found: Entry, task: Task) -> str:
    """Stands in VLMEvalKit's file names; one dataset takes two names only, whoever the judge is."""
    if found.family == "VideoMMEv2" or task.spec.judge is None:
        return "chatgpt-0125"
    return re.sub(r"[^A-Za-z0-9-]", "-", task.spec.judge.name)


def _payload(generation: GenerationSpec) -> JsonObject:
    """Fields of every request. Without ``max_tokens`` none is sent: the server's own limit holds."""
    fields: JsonObject = {
        "temperature": generation.temperature,
        "max_tokens": generation.max_tokens,
        "top_p": generation.top_p,
        "top_k": generation.top_k,
        "seed": generation.seed,
        "stop": list(generation.stop) or None,
    }
    return {name: value for name, value in fields.items() if value is not None} | generation.extra_body


def _absolute(path: Path | str | None) -> str | None:
    return str(Path(path).expanduser().absolute()) if path else None


def described(task: Task, dataset: DatasetSpec) -> dict[str, Any]:
    """The settings of a dataset's scorer that change its score, for the report."""
    options = read_options(task.spec, BACKEND, KitOptions)
    item = _item(task, dataset, 0, options)
    judge = task.spec.judge.name if item["judge"] == "judge" and task.spec.judge else None
    return {
        "judge": judge or (item["judge"] if item["judge"] != "none" else None),
        "scorer": item["scorer"],
        "local": task.model.local.name if task.model.local else None,
        "image": {key: value for key, value in item["image"].items() if value} or None,
        "video": item["kwargs"] or None,
        "split_thinking": options.split_thinking or None,
        "system_prompt": options.system_prompt,
        "custom_prompt": options.custom_prompt,
        "split": dataset.split,
        "subsets": list(dataset.subsets) or None,
        "judge_args": item["judge_args"] or None,
        "source": options.source,
    }
