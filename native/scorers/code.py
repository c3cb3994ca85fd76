"""Code that a model wrote: does it pass the tests?  Run in the sandbox, one program after the other.

A sample's target is ``{"prompt": …, "name": …, "tests": …}``: what the code goes on from (empty where it stands alone),
the function that is wanted, and the tests. What is taken for the code, in this order:

``fenced``   the first block between triple backquotes that defines the function, else the first block; a block that is
             not closed goes to the end
``bare``     without a block: from the first line of code on, where the answer defines the function
``raw``      else all of the answer, as a model writes it that only continues its prompt

Passed is a program that runs and whose tests then run to their end, within 4 s of CPU time and 8 s in all. Where the
sandbox fails, there is no score.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache

from bridge.native.benchmark import Metric, Sample, Verdict
from bridge.sandbox import UNSAFE_ENV
from bridge.sandbox.programs import Program, Programs

_BLOCK = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
_FIRST_LINE = re.compile(r"^(?:from |import |def |async def |class |@)", re.MULTILINE)


@dataclass(frozen=True)
class Code:
    """1 where the code passes its tests, else 0."""

    name: str = "code"
    metrics: tuple[Metric, ...] = (Metric("pass_at_1"),)

    def at_once(self, answer: str, sample: Sample) -> Verdict | None:
        if answer.strip():
            return None
        return Verdict(None, {"pass_at_1": 0.0}, "none")

    def prepare(self) -> None:
        _programs().warm_up()

    def at_length(self, answer: str, sample: Sample) -> Verdict:
        code, method = find_code(answer, sample.target["name"])
        ran = _programs().run(program_of(code, sample))
        return Verdict(code, {"pass_at_1": float(ran.passed)}, method, remark=ran.reason)


def program_of(code: str, sample: Sample) -> Program:
    """The code behind its prompt, and the tests; code with the whole function takes the place of its beginning."""
    prompt, defines = sample.target["prompt"], _definition(sample.target["name"])
    if begun := defines.search(prompt) if defines.search(code) else None:
        prompt = prompt[: begun.start()]
    whole = f"{prompt}\n{code}" if prompt and not prompt.endswith("\n") else prompt + code
    return Program(whole + "\n", sample.target["tests"])


def find_code(answer: str, name: str) -> tuple[str, str]:
    """The code in an answer, and how it was found."""
    defines = _definition(name)
    if blocks := [found[1] for found in _BLOCK.finditer(answer)]:
        return next((block for block in blocks if defines.search(block)), blocks[0]), "fenced"
    if defines.search(answer) and (first := _FIRST_LINE.search(answer)):
        return answer[first.start() :], "bare"
    return answer, "raw"


def _definition(name: str) -> re.Pattern[str]:
    return re.compile(rf"^(?:async )?def +{re.escape(name)}\b", re.MULTILINE)


@cache
def _programs() -> Programs:
    """This process's own; it goes when the process does."""
    return Programs(confined=UNSAFE_ENV not in os.environ)
