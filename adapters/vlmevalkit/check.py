"""All that is wrong with a task, before anything runs.  Looks at no more than whether files exist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bridge.adapters.asking.options import option_problems, read_options
from bridge.adapters.vlmevalkit.catalogue import Entry, entry
from bridge.adapters.vlmevalkit.local import local_problems
from bridge.adapters.vlmevalkit.names import BACKEND
from bridge.adapters.vlmevalkit.options import KitOptions
from bridge.backend import Task
from bridge.errors import Problem, did_you_mean
from bridge.spec import DatasetSpec

AT = f"options.{BACKEND}"


def problems(task: Task) -> list[Problem]:
    found = option_problems(task.spec, BACKEND, KitOptions)
    options = KitOptions() if found else read_options(task.spec, BACKEND, KitOptions)
    found += _option_problems(task, options)
    found += local_problems(task, options)
    for dataset in task.datasets:
        known = entry(dataset.name.removeprefix(f"{BACKEND}:"))
        at = f"datasets[{task.spec.datasets.index(dataset)}]"
        if known is None:
            found.append(Problem("", f"{at}.name", f"VLMEvalKit has no dataset {dataset.name!r}"))
        else:
            found += _dataset_problems(task, dataset, known, at, options)
    return found


def _option_problems(task: Task, options: KitOptions) -> Iterator[Problem]:
    ids = [dataset.id for dataset in task.datasets]
    for option in ("scorer", "judge_args"):
        for name in getattr(options, option):
            if name not in ids:
                yield Problem(
                    "", f"{AT}.{option}", f"names {name!r}, which is no dataset here", did_you_mean(name, ids)
                )
    for name, scorer in options.scorer.items():
        own = [dataset for dataset in task.datasets if dataset.id == name]
        if own and not own[0].name.endswith("custom_vqa"):
            yield Problem("", f"{AT}.scorer", f"{name} has VLMEvalKit's own scorer", "only custom_vqa has a choice")
        if scorer == "judge" and task.spec.judge is None:
            yield Problem("", f"{AT}.scorer", f"{name} is to be judged, and the spec names no judge", "set 'judge'")
    if options.video.fps and options.video.nframe:
        yield Problem("", f"{AT}.video", "give 'nframe' or 'fps', not both")
    if options.source and not (Path(options.source) / "vlmeval" / "__init__.py").is_file():
        yield Problem("", f"{AT}.source", f"there is no package 'vlmeval' in {options.source}")
    if options.lmu_data and not Path(options.lmu_data).is_dir():
        yield Problem("", f"{AT}.lmu_data", f"there is no folder {options.lmu_data}")


def _dataset_problems(
    task: Task, dataset: DatasetSpec, known: Entry, at: str, options: KitOptions
) -> Iterator[Problem]:
    if known.unusable:
        yield Problem("", f"{at}.name", f"VLMEvalKit cannot run {known.name!r} here: {known.unusable}")
    if dataset.num_fewshot:
        yield Problem("", f"{at}.num_fewshot", "VLMEvalKit's questions have no worked examples", "take it out, or 0")
    if known.judge == "required" and task.spec.judge is None:
        yield Problem("", f"{at}.name", f"{known.name} is scored by a judge, and the spec names none", "set 'judge'")
    path = task.spec.path_of(dataset)
    if path is None:
        yield from _without_path(known, at)
    else:
        yield from _path_problems(path, known, at)
    if "nframe" in known.kwargs and (options.video.fps or options.video.nframe):
        yield Problem("", f"{AT}.video", f"{dataset.name} is a preset that says itself which frames are shown")


def _without_path(known: Entry, at: str) -> Iterator[Problem]:
    if known.custom:
        yield Problem("", f"{at}.path", f"{known.name} is your own table (.tsv) or folder (images/ and one .jsonl)")
    elif known.answers == "withheld":
        hint = "set 'path' to a table with answers, or take the set's public part"
        yield Problem("", f"{at}.name", f"the answers of {known.name} are not public, so there is no score", hint)
    elif known.modality == "video":
        hint = "set 'path' to the folder that holds its table and videos"
        yield Problem("", f"{at}.path", f"{known.name} is a video dataset, which is read from local files", hint)


def _path_problems(path: Path, known: Entry, at: str) -> Iterator[Problem]:
    if not path.exists():
        yield Problem("", f"{at}.path", f"there is no file or folder {path}")
    elif path.is_file() and (known.parts or known.layout == "own"):
        what = f"the tables {', '.join(known.parts)}" if known.parts else "its files"
        yield Problem("", f"{at}.path", f"{path} is a file; {known.name} takes a folder with {what}")
    elif path.is_file() and path.suffix != ".tsv":
        yield Problem("", f"{at}.path", f"{path} is no .tsv", "give a table, or a folder: images/ and one .jsonl")
