"""RACE: reading comprehension from English exams in Chinese middle and high schools; four options.

    {"example_id": "high1.txt", "article": "…", "question": "Why did …?", "options": ["…", …], "answer": "B"}

The hubs' form, a table for each of ``high`` and ``middle``; the authors' archive, with a file for each article, is not
read. Asked with three worked examples of the training set (which makes for long prompts); the model may reason first.

EvalScope asks the same way.
"""

from __future__ import annotations

from bridge.native.benchmark import Benchmark, Hub, Layout, Row, Sample, needed
from bridge.native.prompt import CHOICE_REASONED, choice_sample, letter_index
from bridge.native.scorers.multiple_choice import MultipleChoice


def to_sample(row: Row) -> Sample:
    options = list(map(str, needed(row, "options")))
    question = f"Article:\n{needed(row, 'article')}\n\nQuestion: {needed(row, 'question')}"
    return choice_sample(question, options, letter_index(str(needed(row, "answer")), len(options)))


BENCHMARK = Benchmark(
    name="race",
    description="Reading comprehension from school exams; multiple choice",
    paper="https://arxiv.org/abs/1704.04683",
    licence="non-commercial research",
    layout=Layout(
        files=("{subset}/{split}", "{subset}_{split}"),
        splits={"test": ("test",), "validation": ("validation", "dev"), "train": ("train",)},
        example="high/test.jsonl, middle/test.jsonl (article, question, options, answer), high/train.jsonl …",
    ),
    to_sample=to_sample,
    prompt=CHOICE_REASONED,
    scorer=MultipleChoice(),
    hub=Hub("evalscope/race", "ehovy/race", config="{subset}"),
    subsets=("high", "middle"),
    num_fewshot=3,
    fewshot_splits=("train", "validation"),
)
