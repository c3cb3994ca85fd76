"""A benchmark in a file of the user's own: Python with a ``BENCHMARK``, or YAML for what needs no code.

    description: Capitals of countries
    question: What is the capital of {country}? Answer with its name alone.
    target: "{capital}"
    scorer: exact

Texts are templates over the row's columns. With ``options`` (columns, or one column with a list) it is multiple choice,
and ``target`` is the letter, the index from 0, or the text of the right option.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridge.native.benchmark import Benchmark, Layout, Prompt, Row, Sample, Scorer
from bridge.native.judge_jobs import as_judging
from bridge.native.judging import NEEDS_TARGET, Judging
from bridge.native.prompt import CHOICE_PLAIN, CHOICE_REASONED, LETTERS, choice_sample
from bridge.native.readers import DataError
from bridge.native.scorers.final_answer import FinalAnswer
from bridge.native.scorers.first_word import FirstWord
from bridge.native.scorers.math import Math
from bridge.native.scorers.multiple_choice import MultipleChoice
from bridge.native.scorers.overlap import TextOverlap
from bridge.native.scorers.trivia import Trivia
from bridge.spec import JudgingSpec

SCORERS: Mapping[str, Callable[[], Scorer]] = {
    "math": Math,
    "text_overlap": TextOverlap,
    "exact": Trivia,
    "final_answer": FinalAnswer,
    "first_word": FirstWord,
}
_SPLITS = {"test": ("test", "val", "validation"), "dev": ("dev", "train")}


class Definition(BaseModel):
    """What a YAML file may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: str
    target: str = ""
    """Needed, unless a judge rates the answers without a reference."""
    description: str = ""
    options: str | tuple[str, ...] = ()
    reasoned: bool = False
    """Multiple choice: asks for the reasoning before the letter."""
    scorer: Literal["math", "text_overlap", "exact", "final_answer", "first_word"] | None = None
    judging: JudgingSpec | None = None
    """A judge in place of the scorer; as ``judging`` of a dataset in the spec."""
    system: str = ""
    demo: str = "{question}\n{target}"
    id: str | None = None
    files: tuple[str, ...] = ("{split}",)
    """Names of the files, without suffix, in the dataset's folder."""
    num_fewshot: Annotated[int, Field(ge=0)] = 0
    max_tokens: Annotated[int, Field(ge=1)] = 2048


def read_definition(path: Path) -> Benchmark:
    """The benchmark that a file defines. Raises DataError, with what is wrong; a Python file is executed."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    return _from_python(path) if path.suffix == ".py" else _from_yaml(path)


def _from_python(path: Path) -> Benchmark:
    spec = importlib.util.spec_from_file_location(f"_bridge_benchmark_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise DataError(f"{path}: cannot be loaded: {type(error).__name__}: {error}") from error
    found = getattr(module, "BENCHMARK", None)
    if not isinstance(found, Benchmark):
        raise DataError(f"{path}: has no BENCHMARK that is a bridge.native.benchmark.Benchmark")
    return found


def _from_yaml(path: Path) -> Benchmark:
    import yaml

    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
        definition = Definition.model_validate(given)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not YAML: {str(error).splitlines()[0]}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        known = ", ".join(Definition.model_fields)
        raise DataError(f"{path}: {where}: {first['msg']}; there are: {known}") from error
    if not definition.target and (definition.judging is None or definition.judging.method in NEEDS_TARGET):
        raise DataError(f"{path}: target: is missing; only a judge's 'rating' or 'rubric' does without")
    if not definition.options and definition.scorer is None and definition.judging is None:
        raise DataError(f"{path}: scorer: is missing; one of {', '.join(SCORERS)}, or give 'options' or 'judging'")
    if definition.options and definition.scorer is not None:
        raise DataError(f"{path}: scorer: multiple choice has its own; leave it out")
    return replace(_benchmark(path.stem, definition), judging=_judging(path, definition))


def _judging(path: Path, definition: Definition) -> Judging | None:
    given = definition.judging
    if given is None:
        return None
    if given.prompt_file is not None:
        given = given.model_copy(update={"prompt_file": str(path.parent / given.prompt_file)})
    try:
        return as_judging(given)
    except OSError as error:
        raise DataError(f"{given.prompt_file}: cannot be read: {error.strerror}") from error


def _benchmark(name: str, definition: Definition) -> Benchmark:
    scorer: Scorer = SCORERS[definition.scorer]() if definition.scorer else MultipleChoice()
    prompt = Prompt(question="{question}", demo=definition.demo, system=definition.system)
    if definition.options:
        prompt = CHOICE_REASONED if definition.reasoned else CHOICE_PLAIN
    return Benchmark(
        name=name,
        description=definition.description or f"Defined in {name}",
        paper="",
        licence="",
        layout=Layout(files=definition.files, splits=_SPLITS, example=f"{definition.files[0]}, as {name} says"),
        to_sample=partial(_to_sample, definition),
        prompt=prompt,
        scorer=scorer,
        num_fewshot=definition.num_fewshot,
        fewshot_splits=("dev",),
        max_tokens=definition.max_tokens,
    )


def _to_sample(definition: Definition, row: Row) -> Sample:
    question, target = definition.question.format_map(row), definition.target.format_map(row).strip()
    if definition.target and not target:
        raise ValueError("the target is empty")
    id_ = None if definition.id is None else str(row[definition.id])
    if definition.options:
        options = _options(definition.options, row)
        return choice_sample(question, options, _right(target, options), id=id_)
    fields = {**{str(name): str(value) for name, value in row.items()}, "question": question, "target": target}
    reference = [target] if definition.scorer == "exact" else target
    return Sample(target=reference if definition.target else None, fields=fields, id=id_)


def _options(named: str | tuple[str, ...], row: Row) -> list[str]:
    value: Any = row[named] if isinstance(named, str) else [row[name] for name in named]
    if not isinstance(value, list):
        raise ValueError(f"{named} is to be a list of options")
    return [str(one) for one in value]


def _right(target: str, options: list[str]) -> int:
    if target in options:
        return options.index(target)
    if target.isdigit():
        return int(target)
    if len(target) == 1 and target.upper() in LETTERS[: len(options)]:
        return LETTERS.index(target.upper())
    raise ValueError(f"the target {target!r} is no option, letter or index")
