"""The benchmarks by name, one file each.  A file is imported when its benchmark is asked for.

Installed packages add theirs by an entry point of the group ``bridge.benchmarks`` that leads to a ``Benchmark`` of the
same name.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from bridge.native.benchmark import Benchmark

NAMES = (
    *("mmlu", "mmlu_pro", "cmmlu", "ceval", "gpqa_diamond"),
    *("gsm8k", "math_500", "competition_math"),
    *("arc", "hellaswag", "commonsenseqa", "openbookqa", "piqa", "winogrande"),
    *("boolq", "race", "trivia_qa", "truthful_qa", "truthful_qa_mc2"),
    *("bbh", "lambada", "ifeval", "llmbar"),
    *("humaneval", "mbpp", "mbpp_sanitized"),
    *("general_qa", "general_mcq", "general_vqa", "general_vmcq"),
)
ENTRY_POINTS = "bridge.benchmarks"


@cache
def installed() -> dict[str, EntryPoint]:
    """Those of installed packages; a name of the package's own is not taken over."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS) if point.name not in NAMES}


def known() -> tuple[str, ...]:
    """All names, bridge's own first."""
    return (*NAMES, *sorted(installed()))


@cache
def benchmark(name: str) -> Benchmark:
    """The benchmark of that name, or in that file. Raises KeyError where there is none, DataError for a bad one."""
    if is_file(name):
        from bridge.native.definition import read_definition

        return read_definition(Path(name))
    if name not in NAMES:
        return _loaded(installed()[name])
    found = import_module(f"{__name__}.{name}").BENCHMARK
    assert isinstance(found, Benchmark)
    return found


def _loaded(point: EntryPoint) -> Benchmark:
    from bridge.native.readers import DataError

    where = f"the installed benchmark {point.name} = {point.value}"
    try:
        found = point.load()
    except Exception as error:
        raise DataError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(found, Benchmark) or found.name != point.name:
        raise DataError(f"{where} is to be a Benchmark of that name")
    return found


def is_file(name: str) -> bool:
    return name.endswith((".py", ".yaml", ".yml"))


def file_of(name: str) -> Path:
    """The file that defines a benchmark."""
    if is_file(name):
        return Path(name)
    if name in NAMES:
        return Path(__file__).with_name(f"{name}.py")
    spec = find_spec(installed()[name].module)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin)
