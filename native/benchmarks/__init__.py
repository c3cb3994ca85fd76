"""The benchmarks by name, one file each.  A file is imported when its benchmark is asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

from bridge.native.benchmark import Benchmark

NAMES = (
    *("mmlu", "mmlu_pro", "cmmlu", "ceval", "gpqa_diamond"),
    *("gsm8k", "math_500", "competition_math"),
    *("arc", "hellaswag", "commonsenseqa", "openbookqa", "piqa", "winogrande"),
    *("boolq", "race", "trivia_qa", "truthful_qa", "truthful_qa_mc2"),
    *("bbh", "lambada"),
    *("general_qa", "general_mcq"),
)


@cache
def benchmark(name: str) -> Benchmark:
    """The benchmark of that name, or in that file. Raises KeyError where there is none, DataError for a bad file."""
    if is_file(name):
        from bridge.native.definition import read_definition

        return read_definition(Path(name))
    if name not in NAMES:
        raise KeyError(name)
    found = import_module(f"{__name__}.{name}").BENCHMARK
    assert isinstance(found, Benchmark)
    return found


def is_file(name: str) -> bool:
    return name.endswith((".py", ".yaml", ".yml"))


def file_of(name: str) -> Path:
    """The file that defines a benchmark."""
    return Path(name) if is_file(name) else Path(__file__).with_name(f"{name}.py")
