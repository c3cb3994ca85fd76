"""GSM8K: grade-school word problems in several steps, with a number as answer.

    {"question": "Tom has 3 boxes of 4 pens …?", "answer": "He has 3*4=<<3*4=12>>12 pens.\\n#### 12"}

Asked with four worked examples, the first four of the training set, without the calculator marks ``<<…>>``. The model
reasons and boxes its answer. Scored by the value of the number (see ``scorers.math``): ``$1,200.00`` is 1200.

EvalScope asks the same way. The paper's own script looks for ``#### N`` and compares text, so that ``18.0`` is wrong
there and right here.
"""

from __future__ import annotations

import re

from bridge.native.benchmark import Benchmark, Hub, Layout, Prompt, Row, Sample, needed
from bridge.native.scorers.math import Math, number_target

_CALCULATOR = re.compile(r"<<[^<>]*>>")


def to_sample(row: Row) -> Sample:
    reasoning, mark, result = str(needed(row, "answer")).rpartition("####")
    if not mark:
        raise ValueError("the answer has no '#### <number>' at its end")
    target = result.strip().replace(",", "")
    number_target(target)
    return Sample(
        target=target,
        fields={
            "question": str(needed(row, "question")).strip(),
            "reasoning": _CALCULATOR.sub("", reasoning).strip(),
            "target": target,
        },
    )


BENCHMARK = Benchmark(
    name="gsm8k",
    description="Grade-school word problems in several steps; the answer is a number",
    paper="https://arxiv.org/abs/2110.14168",
    licence="MIT",
    layout=Layout(
        files=("{split}",),
        splits={"test": ("test",), "train": ("train",)},
        example="test.jsonl and train.jsonl (question, answer)",
    ),
    to_sample=to_sample,
    prompt=Prompt(
        question="{question}\n\nReason step by step. At the end put the resulting number, and only it, in \\boxed{{}}.",
        demo="Problem: {question}\nSolution: {reasoning}\nANSWER: \\boxed{{{target}}}",
        demos_intro="These problems have been solved already:",
        question_intro="Solve this one in the same way:",
    ),
    scorer=Math(),
    hub=Hub("AI-ModelScope/gsm8k", "openai/gsm8k", config="main"),
    num_fewshot=4,
    fewshot_splits=("train",),
)
