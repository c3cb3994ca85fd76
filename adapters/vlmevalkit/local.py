"""``model.local``: a model that VLMEvalKit itself loads and asks, in the job's own process."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bridge.adapters.vlmevalkit.options import ImageOptions, KitOptions
from bridge.backend import Feature, Task, features_used, place_of
from bridge.errors import Problem, did_you_mean
from bridge.spec import JsonObject, LocalSpec, expanded

DATA = Path(__file__).parent / "models.json"
WEIGHTS_FROM = ("HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
"""Where weights lie that are not in a folder of the user's."""
OF_THE_MODEL = {
    *(Feature.MAX_TOKENS, Feature.TOP_P, Feature.TOP_K, Feature.SEED, Feature.STOP, Feature.EXTRA_BODY),
}
IN_ITS_CLASS = "how VLMEvalKit's own models write is set in their classes"


@cache
def models() -> Mapping[str, Mapping[str, Any]]:
    """By VLMEvalKit's names: the class, the weights that it would fetch, whether a folder can stand in for them."""
    listed: dict[str, dict[str, Any]] = json.loads(DATA.read_bytes())["models"]
    return listed


def loaded(local: LocalSpec) -> JsonObject:
    """What the launcher is told."""
    weights = None if local.path is None else expanded(local.path)
    return {"name": local.name, "path": weights, "args": dict(local.args)}


def surroundings(local: LocalSpec) -> dict[str, str]:
    """VLMEvalKit's classes take the first device that they see."""
    if local.device == "auto":
        return {}
    return {"CUDA_VISIBLE_DEVICES": local.device.partition(":")[2] or "0" if local.device.startswith("cuda") else ""}


def local_problems(task: Task, options: KitOptions) -> Iterator[Problem]:
    local, at = task.model.local, f"{place_of(task)}.local"
    if local is None:
        return
    yield from _name_problems(local, at, options)
    hint = "its class says how: local.args"
    if local.dtype != "auto":
        yield Problem("", f"{at}.dtype", "VLMEvalKit's classes choose the type of the weights themselves", hint)
    if local.batch_size is not None:
        yield Problem("", f"{at}.batch_size", "VLMEvalKit asks its models one question at a time", "leave it out")
    if local.device == "mps":
        yield Problem("", f"{at}.device", "VLMEvalKit's classes are for CUDA", "cuda, cuda:1, cpu or auto")
    for feature, places in features_used(task).items():
        if feature in OF_THE_MODEL or (feature is Feature.TEMPERATURE and _samples(task)):
            yield from (Problem("", place, IN_ITS_CLASS, hint) for place in places)
    for name in ("system_prompt", "custom_prompt"):
        if getattr(options, name):
            yield Problem("", f"options.vlmevalkit.{name}", "is for models that are asked over an API", "leave it out")
    if options.image != ImageOptions():
        yield Problem("", "options.vlmevalkit.image", "is for models that are asked over an API", hint)


def _samples(task: Task) -> bool:
    return any(task.generation(dataset).temperature > 0 for dataset in task.datasets)


def _name_problems(local: LocalSpec, at: str, options: KitOptions) -> Iterator[Problem]:
    if local.name is None:
        hint = "'name: Qwen2-VL-2B-Instruct'; 'path' then says where its weights are"
        yield Problem("", f"{at}.name", "VLMEvalKit loads the models that it knows by name", hint)
    elif local.name not in models() and not options.source:
        hint = did_you_mean(local.name, models()) or "'bridge datasets --backend vlmevalkit --models' lists them"
        yield Problem("", f"{at}.name", f"VLMEvalKit has no model {local.name!r} of its own", hint)
    elif local.path is not None and not models().get(local.name, {"takes_path": True})["takes_path"]:
        yield Problem("", f"{at}.path", f"{local.name} takes no folder of weights", "see its class in VLMEvalKit")
