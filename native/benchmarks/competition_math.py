"""MATH: competition problems in seven fields and five levels.

    {"problem": "What is …?", "level": "Level 3", "type": "Algebra", "solution": "So it is \\\\boxed{12}."}

In the hubs' form, one table, or as the authors' archive, packed (``MATH.tar``) or unpacked, with a file for each
problem: ``MATH/test/algebra/1.json``. Asked with four worked examples, the first four of the training set. The
reference is what the solution boxes last; it is compared by value (see ``scorers.math``). The levels are subsets; the
level of a few problems is "Level ?".

EvalScope shows examples with their result alone; here they come with their solution. It has no subset for the problems
without a level.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.native.benchmark import Hub, Layout, Row, Sample, needed
from bridge.native.benchmarks import math_500
from bridge.native.scorers.math import last_boxed


def to_sample(row: Row) -> Sample:
    target = last_boxed(str(needed(row, "solution")))
    if target is None:
        raise ValueError("the solution boxes no answer")
    sample = math_500.to_sample({**row, "answer": target})
    return replace(sample, id=str(row["document"]) if "document" in row else None)


BENCHMARK = replace(
    math_500.BENCHMARK,
    name="competition_math",
    description="Competition problems in five levels; the answer is a number or an expression",
    paper="https://arxiv.org/abs/2103.03874",
    layout=Layout(
        files=("{split}", "data/{split}"),
        splits={"test": ("test",), "train": ("train",)},
        documents=("{split}/*/*.json", "MATH/{split}/*/*.json"),
        example="MATH.tar, MATH/test/algebra/*.json; or test.jsonl and train.jsonl (problem, level, solution)",
    ),
    to_sample=to_sample,
    hub=Hub("evalscope/competition_math", "hendrycks/competition_math"),
    subsets=(*math_500.BENCHMARK.subsets, "Level ?"),
    num_fewshot=4,
    fewshot_splits=("train",),
)
