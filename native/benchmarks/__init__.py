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
    """The benchmark of that name. Raises KeyError where there is none."""
    if name not in NAMES:
        raise KeyError(name)
    found = import_module(f"{__name__}.{name}").BENCHMARK
    assert isinstance(found, Benchmark)
    return found


def file_of(name: str) -> Path:
    """The file that defines a benchmark."""
    return Path(__file__).with_name(f"{name}.py")
