"""MBPP, sanitized: the tasks of MBPP that its authors went over by hand, so that sentence and tests agree.

    {"task_id": 11, "prompt": "Write a python function to …", "code": "def f(…): …", "test_imports": [],
     "test_list": ["assert f(…) == …", …]}

In its original layout (``sanitized-mbpp.json``, 427 rows) or as code generation, the signature given
(``mbpp_sanitized_for_code_generation.jsonl``: prompt, entry_point, canonical_solution, test). Splits, worked examples
and scoring as in ``mbpp``: 257 tasks are scored.

In the form for code generation the docstring is the sentence, and what the asserts import is left out: it is added.
Both forms are asked with the asserts, as the paper does. What EvalScope does was not compared.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace

from bridge.native.benchmark import Hub, Layout, Row, Sample, needed
from bridge.native.benchmarks import mbpp


def to_sample(row: Row) -> Sample:
    if "test_list" in row:
        return mbpp.to_sample(row)
    prompt, test = str(needed(row, "prompt")), str(needed(row, "test"))
    _, _, body = test.partition("def check(candidate):\n")
    if not body:
        raise ValueError("the test is to be a function check(candidate)")
    signature, quotes, rest = prompt.partition("'''")
    if not quotes:
        raise ValueError("the prompt is to end with a docstring between '''")
    # Some docstrings are indented otherwise than the code below them.
    code = signature.rstrip(" \t") + str(row.get("canonical_solution") or "")
    asserts = textwrap.dedent(body).strip()
    number = str(needed(row, "task_id")).rpartition("/")[2]
    return mbpp.sample(_sentence(rest), asserts, ["import math"] if "math." in asserts else [], code, number)


def _sentence(rest: str) -> str:
    return " ".join(rest.partition("'''")[0].split())


BENCHMARK = replace(
    mbpp.BENCHMARK,
    name="mbpp_sanitized",
    description="The tasks of MBPP that were gone over by hand, checked by asserts",
    layout=Layout(
        files=("sanitized-mbpp", "mbpp_sanitized_for_code_generation", "{split}"),
        splits=mbpp.BENCHMARK.layout.splits,
        example="sanitized-mbpp.json (task_id, prompt, code, test_imports, test_list)",
    ),
    to_sample=to_sample,
    hub=Hub("google-research-datasets/mbpp", "google-research-datasets/mbpp", "sanitized"),
)
