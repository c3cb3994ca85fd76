"""The configuration files, in OpenCompass's own language: what a user would write, and can run by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridge.adapters.opencompass.asked import Asked, options
from bridge.backend import Endpoint, Task
from bridge.spec import GenerationSpec, JsonObject, TaskSpec

DEFAULT_MAX_OUT_LEN = 2048
"""Where neither the spec nor the dataset's configuration sets one: as in OpenCompass's own for API models."""

DEFAULT_JUDGE_OUT_LEN = 16384
"""As OpenCompass has it for a judge whose configuration says nothing."""

_META: JsonObject = {
    "round": [
        {"role": "HUMAN", "api_role": "HUMAN"},
        {"role": "BOT", "api_role": "BOT", "generate": True},
    ],
    "reserved_roles": [{"role": "SYSTEM", "api_role": "SYSTEM"}],
}

_HEAD = "from mmengine.config import read_base\n"

_CONFIG = """\
# {what}
#
# To run it by hand, in this folder, where OpenCompass is installed (with torch), OPENAI_BASE_URL and _API_KEY set:
#     COMPASS_DATA_CACHE=cache PYTHONPATH=<folder of bridge's ocbridge> opencompass config.py -w by_hand
from mmengine.config import read_base
from opencompass.partitioners import NaivePartitioner
from opencompass.runners import LocalRunner
from opencompass.tasks import OpenICLEvalTask
from opencompass.tasks.openicl_infer_concurrent import OpenICLInferConcurrentTask

with read_base():
    from .models import models
{imports}
datasets = [{all_datasets}]
{combinations}infer = dict(
    partitioner=dict(type=NaivePartitioner, n=1000),
    runner=dict(type=LocalRunner, max_num_workers=1, task=dict(type=OpenICLInferConcurrentTask)),
)
eval = dict(
    partitioner=dict(type=NaivePartitioner, n=1000),
    runner=dict(type=LocalRunner, max_num_workers=1, task=dict(type=OpenICLEvalTask, dump_details=True)),
)
"""

_CUSTOM = """\
import os

FOLDER = os.path.join(os.getcwd(), 'cache', {folder!r})
datasets_{number} = []
for file in {files}:
    dataset = dict(
        abbr=file[:-len('.jsonl')],
        path=os.path.join(FOLDER, file),
        data_type={kind!r},
        infer_method='gen',
    )
{changes}    datasets_{number}.append(dataset)
"""


def config_text(parts: Sequence[Asked], models: Sequence[int], framework: str) -> str:
    """The whole run; ``models`` says which model each part is for."""
    imports = "".join(f"    from .dataset_{n} import datasets_{n}\n" for n in range(len(parts)))
    combinations = ""
    if len(set(models)) > 1:
        pairs = "".join(
            f"    dict(models=[models[{model}]], datasets=[*datasets_{n}]),\n" for n, model in enumerate(models)
        )
        combinations = f"model_dataset_combinations = [\n{pairs}]\n"
    return _CONFIG.format(
        what=f"{', '.join(part.dataset.id for part in parts)}, for {framework}",
        imports=imports,
        all_datasets=", ".join(f"*datasets_{n}" for n in range(len(parts))),
        combinations=combinations,
    )


def models_text(task: Task, generations: Sequence[GenerationSpec], endpoint: Endpoint) -> str:
    """One model for each set of sampling settings, as OpenCompass has them on the model."""
    entries = "".join(
        f"    dict(\n{''.join(_arguments(_model(task, generation, endpoint, number)))}    ),\n"
        for number, generation in enumerate(generations)
    )
    judge = _judge(task)
    judging = f"judge = dict(\n{''.join(_arguments(judge))})\n" if judge else ""
    return f"models = [\n{entries}]\n{judging}"


def model_abbr(number: int) -> str:
    """The folder of a model's output."""
    return "model" if not number else f"model-{number + 1}"


def dataset_text(part: Asked, number: int) -> str:
    return _custom_text(part, number) if part.chosen.custom else _pinned_text(part, number)


def _arguments(model: JsonObject) -> Iterator[str]:
    for name, value in model.items():
        yield f"        {name}={value!r},\n"


def _judge(task: Task) -> JsonObject | None:
    """The judge in the place of every ``judge_cfg``, as OpenCompass has it where that is empty."""
    spec = task.spec
    if spec.judge is None:
        return None
    return {
        "type": "ocbridge.chat.BridgeJudge",
        "abbr": "judge",
        "path": spec.judge.name,
        "meta_template": _META,
        "temperature": 0.0,
        "max_out_len": DEFAULT_JUDGE_OUT_LEN,
        "max_workers": task.concurrency,
        "batch_size": 1024,
        "query_per_second": 1000,
        "retry": 1,
        "timeout": _timeout_s(spec),
    }


def _timeout_s(spec: TaskSpec) -> float:
    """The gateway retries; it needs the time of all its tries, and that of waiting between them."""
    return spec.request_timeout_s * (spec.max_retries + 1) + 600


def _model(task: Task, generation: GenerationSpec, endpoint: Endpoint, number: int) -> JsonObject:
    spec = task.spec
    extra = {
        **({"top_p": generation.top_p} if generation.top_p is not None else {}),
        **({"seed": generation.seed} if generation.seed is not None else {}),
        **({"stop": list(generation.stop)} if generation.stop else {}),
    }
    body = {**({"top_k": generation.top_k} if generation.top_k is not None else {}), **generation.extra_body}
    return {
        "type": "ocbridge.chat.BridgeChat",
        "abbr": model_abbr(number),
        "path": endpoint.model,
        "key": "ENV",
        "meta_template": _META,
        "temperature": generation.temperature,
        "max_out_len": generation.max_tokens or DEFAULT_MAX_OUT_LEN,
        "max_workers": task.concurrency,
        "query_per_second": 1000,
        "retry": 1,
        "timeout": _timeout_s(spec),
        "openai_extra_kwargs": extra or None,
        "extra_body": body or None,
        "run_cfg": {"num_gpus": 0},
        **options(task).get("model", {}),
    }


def _pinned_text(part: Asked, number: int) -> str:
    configs = part.configs()
    imports = "".join(
        f"    from opencompass.configs.datasets.{config.module} import {', '.join(config.variables)}\n"
        for config in configs
    )
    variables = [variable for config in configs for variable in config.variables]
    changes = "".join(f"    {line}\n" for line in _changes(part, "dataset"))
    chosen = f"[{', '.join(f'*{variable}' for variable in variables)}]"
    if part.dataset.subsets:
        abbrs = "".join(f"    {abbr!r},\n" for abbr in part.subsets)
        chosen = f"[dataset for dataset in {chosen} if dataset['abbr'] in (\n{abbrs})]"
    text = f"{_HEAD}\nwith read_base():\n{imports}\ndatasets_{number} = {chosen}\n"
    return f"{text}for dataset in datasets_{number}:\n{changes}" if changes else text


def _custom_text(part: Asked, number: int) -> str:
    files = repr([f"{subset}.jsonl" for subset in part.dataset.subsets])
    if not part.dataset.subsets:
        files = "sorted(os.listdir(FOLDER))"
    changes = "".join(f"    {line}\n" for line in _custom_changes(part))
    kind = part.chosen.name.removeprefix("general_")
    return _CUSTOM.format(folder=part.folder, number=number, files=files, kind=kind, changes=changes)


def _changes(part: Asked, name: str) -> Iterator[str]:
    """What the spec changes in each entry of a pinned configuration."""
    if range_ := _range(part):
        # A range of the configuration's own is applied first.
        own = f" + {name}['reader_cfg'].get('test_range', '')" if any(c.own_range for c in part.chosen.configs) else ""
        value = f"{own.removeprefix(' + ')} + {range_!r}" if own else repr(range_)
        yield f"{name}['reader_cfg'] = dict({name}['reader_cfg'], test_range={value})"
    if part.generation.max_tokens is not None:
        yield f"{name}['infer_cfg']['inferencer']['max_out_len'] = {part.generation.max_tokens}"
    shots = part.dataset.num_fewshot
    if shots is not None and any(config.fix not in (None, shots) for config in part.chosen.configs):
        yield f"{name}['infer_cfg']['retriever']['fix_id_list'] = {list(range(shots))}"
    if part.repeats > 1:
        yield f"{name}['n'] = {part.repeats}"


def _custom_changes(part: Asked) -> Iterator[str]:
    if range_ := _range(part):
        yield f"dataset['test_range'] = {range_!r}"
    if part.repeats > 1:
        yield f"dataset['n'] = {part.repeats}"


def _range(part: Asked) -> str:
    """The first rows of each repeat; OpenCompass repeats a dataset by putting copies of it behind one another."""
    if part.limit is None:
        return ""
    first = f"[:{part.limit}]"
    copies = "".join(f" + index_list[len(index_list) * {n} // {part.repeats}:]{first}" for n in range(1, part.repeats))
    return first + copies
