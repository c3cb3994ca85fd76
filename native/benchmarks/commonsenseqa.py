"""CommonsenseQA: everyday questions with five options each.

    {"id": "1afa", "answerKey": "A", "question": {"stem": "Where …?", "choices": [{"label": "A", "text": "bank"}, …]}}

Also in the hubs' form (see ``arc``). Asked without examples, for the letter alone, on the development set: the test
set's answers are not public.

EvalScope asks the same, of a copy with columns question, choices, answer; its name there is ``commonsense_qa``.
"""

from __future__ import annotations

from bridge.native.benchmark import Benchmark, Hub, Layout
from bridge.native.prompt import CHOICE_PLAIN, labelled_sample
from bridge.native.scorers.multiple_choice import MultipleChoice

BENCHMARK = Benchmark(
    name="commonsenseqa",
    description="Everyday questions; multiple choice",
    paper="https://arxiv.org/abs/1811.00937",
    licence="MIT",
    layout=Layout(
        files=("{split}_rand_split", "{split}"),
        splits={"validation": ("dev", "validation"), "train": ("train",)},
        example="dev_rand_split.jsonl, train_rand_split.jsonl (id, question, answerKey)",
    ),
    to_sample=labelled_sample,
    prompt=CHOICE_PLAIN,
    scorer=MultipleChoice(),
    split="validation",
    hub=Hub("extraordinarylab/commonsense-qa", "tau/commonsense_qa"),
    fewshot_splits=("train",),
)
