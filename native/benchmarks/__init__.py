"""The benchmarks by name, one file each.  A file is imported when its benchmark is asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from bridge.native.benchmark import Benchmark

NAMES = ("gsm8k", "mmlu", "arc", "hellaswag", "general_qa", "general_mcq")


@cache
def benchmark(name: str) -> Benchmark:
    """The benchmark of that name. Raises KeyError where there is none."""
    if name not in NAMES:
        raise KeyError(name)
    found = import_module(f"{__name__}.{name}").BENCHMARK
    assert isinstance(found, Benchmark)
    return found
