"""The configuration files, in OpenCompass's own language: what a user would write, and can run by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bridge.adapters.opencompass.asked import Asked

_HEAD = "from mmengine.config import read_base\n"

_CONFIG = """\
# {what}
#
# To run it by hand, in this folder, where OpenCompass is installed (with torch), {variables} set:
#     COMPASS_DATA_CACHE=cache PYTHONPATH=<folder of bridge's ocbridge> opencompass config.py -w by_hand
from mmengine.config import read_base
from opencompass.partitioners import NaivePartitioner
from opencompass.runners import LocalRunner
{scoring_imports}from opencompass.tasks.openicl_infer_concurrent import OpenICLInferConcurrentTask

with read_base():
    from .models import models{judge}
{imports}
datasets = [{all_datasets}]
{combinations}infer = dict(
    partitioner=dict(type=NaivePartitioner, n=1000),
    runner=dict(type=LocalRunner, max_num_workers=1, task=dict(type=OpenICLInferConcurrentTask)),
)
{scoring}"""

_SCORING_IMPORTS = "from opencompass.tasks import OpenICLEvalTask\n"
_SCORING = """\
eval = dict(
    partitioner=dict(type=NaivePartitioner, n=1000),
    runner=dict(type=LocalRunner, max_num_workers=1, task=dict(type=OpenICLEvalTask, dump_details=True)),
)
"""

_SUBJECTIVE_IMPORTS = """\
from opencompass.partitioners.sub_naive import SubjectiveNaivePartitioner
from opencompass.summarizers import DefaultSubjectiveSummarizer
from opencompass.tasks.subjective_eval import SubjectiveEvalTask
"""
_SUBJECTIVE = """\
judge_models = [judge]
eval = dict(
    partitioner=dict(type=SubjectiveNaivePartitioner, models=models, judge_models=judge_models),
    runner=dict(type=LocalRunner, max_num_workers=1, task=dict(type=SubjectiveEvalTask)),
)
summarizer = dict(type=DefaultSubjectiveSummarizer)
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
    subjective = any(part.subjective for part in parts)
    return _CONFIG.format(
        variables=f"OPENAI_BASE_URL and _API_KEY{', BRIDGE_JUDGE_URL and _KEY' if subjective else ''}",
        scoring_imports=_SUBJECTIVE_IMPORTS if subjective else _SCORING_IMPORTS,
        judge=", judge" if subjective else "",
        scoring=_SUBJECTIVE if subjective else _SCORING,
        what=f"{', '.join(part.dataset.id for part in parts)}, for {framework}",
        imports=imports,
        all_datasets=", ".join(f"*datasets_{n}" for n in range(len(parts))),
        combinations=combinations,
    )


def dataset_text(part: Asked, number: int) -> str:
    return _custom_text(part, number) if part.chosen.custom else _pinned_text(part, number)


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
        yield f"{name}['n'] = {name}['k'] = {part.repeats}"
    if part.part:
        # With a range of rows it takes the dataset for a part of one, and its abbreviation for one with a number.
        yield f"{name}['abbr'] += {part.part!r}"


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
