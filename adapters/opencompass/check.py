"""What is wrong with a task, in the spec's own words; all of it."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.adapters.opencompass import catalog, layout
from bridge.adapters.opencompass.asked import OPTIONS, Asked, asked, options, own_name
from bridge.adapters.opencompass.catalog import NAME
from bridge.adapters.opencompass.ocbridge.lay_out import LayoutError, choose
from bridge.backend import Task
from bridge.errors import Problem, did_you_mean

_MODEL_IS_BRIDGES = {
    *("type", "abbr", "path", "key", "openai_api_base", "openai_proxy_url", "temperature", "max_out_len"),
    *("openai_extra_kwargs", "extra_body", "max_workers", "batch_size", "retry", "timeout", "run_cfg"),
}


def static_problems(task: Task) -> Iterator[Problem]:
    """All that can be said without looking at files."""
    yield from _options(task)
    for dataset in task.datasets:
        if catalog.resolve(own_name(dataset)) is None:
            hint = did_you_mean(own_name(dataset), catalog.datasets())
            at = f"datasets[{task.spec.datasets.index(dataset)}].name"
            yield Problem("", at, f"OpenCompass has no dataset {own_name(dataset)!r}", hint)
    for one in asked(task):
        yield from _unusable(one)
        yield from _subsets(one)
        yield from _split(one)
        yield from _shots(one)
        yield from _repeats(one)
        yield from _judge(one)


def missing_files(task: Task) -> Iterator[Problem]:
    for one in asked(task):
        if not one.chosen.info.unusable:
            yield from _missing(one)


def _options(task: Task) -> Iterator[Problem]:
    for name, value in options(task).items():
        at = f"options.{NAME}.{name}"
        if name not in OPTIONS:
            hint = did_you_mean(name, OPTIONS) or f"one of: {', '.join(OPTIONS)}"
            yield Problem("", at, "OpenCompass's adapter has no such option", hint)
        elif name == "data" and not isinstance(value, str):
            yield Problem("", at, "is to be a folder, as text")
        elif name == "model" and not isinstance(value, dict):
            yield Problem("", at, "is to be a mapping of OpenAISDK's arguments")
        elif name == "model":
            for key in sorted(_MODEL_IS_BRIDGES & value.keys()):
                yield Problem("", f"{at}.{key}", "is set by bridge, from the spec's own fields")


def _unusable(one: Asked) -> Iterator[Problem]:
    if why := one.chosen.info.unusable:
        yield Problem("", f"{one.at}.name", f"OpenCompass cannot run {one.chosen.name!r} here: it {why}")


def _subsets(one: Asked) -> Iterator[Problem]:
    if one.chosen.custom or one.chosen.info.unusable:
        return
    known = one.chosen.subsets
    for subset in one.dataset.subsets:
        if subset not in known:
            few = ", ".join(known[:6]) + (", …" if len(known) > 6 else "")
            hint = did_you_mean(subset, known) or (f"one of: {few}" if known else "leave it out")
            what = f"there is no subset {subset!r}" if known else "it has no subsets"
            yield Problem("", f"{one.at}.subsets", f"{one.chosen.name}: {what}", hint)


def _split(one: Asked) -> Iterator[Problem]:
    split, known = one.dataset.split, layout.splits(one.chosen)
    if split is not None and split not in known:
        hint = f"one of: {', '.join(known)}" if known else "leave it out: the configuration decides"
        yield Problem("", f"{one.at}.split", f"{one.chosen.name}: split {split!r} cannot be chosen", hint)


def _shots(one: Asked) -> Iterator[Problem]:
    wanted = one.dataset.num_fewshot
    for config in one.chosen.configs:
        if wanted is not None and config.fix is None and wanted != config.shots:
            fixed = "is not to be told" if config.shots is None else f"is {config.shots}, written into the prompt"
            yield Problem("", f"{one.at}.num_fewshot", f"{one.chosen.name}: the number of examples {fixed}")
            return
    if one.chosen.custom and wanted:
        yield Problem("", f"{one.at}.num_fewshot", f"{one.chosen.name}: OpenCompass asks it without examples")


def _repeats(one: Asked) -> Iterator[Problem]:
    if one.repeats > 1 and one.subjective:
        at = f"{one.at}.repeats" if one.dataset.repeats else "repeats"
        yield Problem("", at, f"{one.chosen.name}: OpenCompass's task for subjective evaluation judges one answer each")
    if one.repeats > 1 and any(config.own_range for config in one.chosen.configs):
        at = f"{one.at}.repeats" if one.dataset.repeats else "repeats"
        yield Problem("", at, f"{one.chosen.name}: a configuration that limits its own rows cannot be repeated")


def _judge(one: Asked) -> Iterator[Problem]:
    if one.judged and one.task.spec.judge is None:
        what = f"{one.chosen.name} is scored by a judge model, and the spec has none"
        yield Problem("", f"{one.at}.name", what, "give one under 'judge'")


def _missing(one: Asked) -> Iterator[Problem]:
    field = f"{one.at}.path" if one.dataset.path is not None else one.at
    wanted = f"expected {layout.expected(one.chosen)}"
    if not one.roots():
        what = f"{one.chosen.name}: OpenCompass needs its files; give 'path' (or 'data', or BRIDGE_DATA)"
        yield Problem("", field, what, wanted)
        return
    for part in one.parts():
        try:
            choose(part)
        except LayoutError as error:
            yield Problem("", field, f"{one.chosen.name}: {error}", "; ".join([wanted, *_some_are_there(one)]))
            return


def _some_are_there(one: Asked) -> Iterator[str]:
    """Where the files of some subsets are there, the line that asks for these alone."""
    subsets = [subset for subset in one.subsets.values() if subset is not None]
    if there := layout.present({subset: one.parts(subset) for subset in subsets}):
        yield f"what is there: subsets: [{', '.join(there)}]"
