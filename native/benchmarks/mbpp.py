"""MBPP: short Python functions from one sentence each, checked by three asserts.

    {"task_id": 11, "text": "Write a python function to …", "code": "def f(…): …", "test_setup_code": "",
     "test_list": ["assert f(…) == …", …], "challenge_test_list": []}

One file holds all splits, by number: 2, 3 and 4 are the worked examples, as in the paper; 11 to 510 are scored (500),
511 to 600 validate, 601 to 974 train. The asserts are part of the question: they say what the function is called. The
program is the code, then the set-up and the asserts, run in the sandbox (see ``scorers.code``).

The paper lets a model answer between ``[BEGIN]`` and ``[DONE]``, for models that only continue a text; here the answer
is a block of code. ``mbpp_sanitized`` are the 427 tasks that its authors went over by hand. EvalScope asks with three
examples as well; its prompt was not compared.
"""

from __future__ import annotations

import re

from bridge.native.benchmark import Benchmark, Hub, Layout, Prompt, Row, Sample, needed
from bridge.native.scorers.code import Code

SPLITS = {"examples": (2, 4), "test": (11, 510), "validation": (511, 600), "train": (601, 974)}
"""First and last number."""
_CALLED = re.compile(r"(?<![.\w])([A-Za-z_]\w*)\s*\(")
_NOT_MEANT = frozenset({"set", "sorted", "list", "tuple", "len", "str", "round", "int", "float", "dict", "abs", "sum"})


def split_of(row: Row) -> str:
    number = int(str(needed(row, "task_id")).rpartition("/")[2])
    return next((name for name, (first, last) in SPLITS.items() if first <= number <= last), "rest")


def to_sample(row: Row) -> Sample:
    asserts = needed(row, "test_list")
    if not isinstance(asserts, list) or not asserts:
        raise ValueError("test_list is to be a list of asserts")
    asked = str(needed(row, "text", "prompt")).strip()
    before = [*map(str, row.get("test_imports") or []), str(row.get("test_setup_code") or "")]
    return sample(asked, "\n".join(map(str, asserts)), before, str(row.get("code") or ""), str(row["task_id"]))


def sample(asked: str, asserts: str, before: list[str], code: str, number: str) -> Sample:
    target = {"prompt": "", "name": function_of(asserts), "tests": "\n".join([*filter(None, before), asserts, ""])}
    fields = {"question": asked, "tests": asserts, "target": code.replace("\r\n", "\n").strip()}
    return Sample(target=target, fields=fields, id=number)


def function_of(asserts: str) -> str:
    """The function that the first assert is about. Raises ValueError where it calls none."""
    called: list[str] = _CALLED.findall(asserts.partition("assert")[2].partition("\n")[0])
    if not called:
        raise ValueError("the asserts call no function")
    return next((name for name in called if name not in _NOT_MEANT), called[0])


PROMPT = Prompt(
    question=(
        "{question}\nThe function has to pass these tests:\n\n```python\n{tests}\n```\n\n"
        "Reply with one code block that holds the function and whatever it needs, without the tests."
    ),
    demo=(
        "{question}\nThe function has to pass these tests:\n\n```python\n{tests}\n```\n\n"
        "Answer:\n\n```python\n{target}\n```"
    ),
    demos_intro="Three solved tasks:",
    question_intro="Now solve this one:",
)

BENCHMARK = Benchmark(
    name="mbpp",
    description="Short Python functions from a sentence, checked by three asserts",
    paper="https://arxiv.org/abs/2108.07732",
    licence="CC-BY-4.0",
    layout=Layout(
        files=("mbpp", "{split}"),
        splits={**{name: (name,) for name in SPLITS}, "examples": ("prompt", "examples")},
        example="mbpp.jsonl (task_id, text, code, test_list, test_setup_code)",
    ),
    to_sample=to_sample,
    prompt=PROMPT,
    scorer=Code(),
    hub=Hub("google-research-datasets/mbpp", "google-research-datasets/mbpp", "full"),
    num_fewshot=3,
    fewshot_splits=("examples",),
    max_fewshot=3,
    split_of=split_of,
    runs_code=True,
)
