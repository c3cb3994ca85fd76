"""OpenBookQA: elementary science questions that take a fact and some common sense; four options.

    ID	Question Stem	Choices	Complete Question	Answer Key
    7-9	Ice is	(A) hot (B) cold (C) dry (D) red	Ice is (A) hot …	B

Also as jsonl and in the hubs' form (see ``arc``). Asked without examples and without the fact, for the letter alone.

EvalScope 1.14.1 does not have it. Harnesses that compare likelihoods of the options get other figures.
"""

from __future__ import annotations

import re

from bridge.native.benchmark import Benchmark, Hub, Layout, Row, Sample, needed
from bridge.native.prompt import CHOICE_PLAIN, labelled_sample
from bridge.native.scorers.multiple_choice import MultipleChoice

_LABEL = re.compile(r"\(([A-D])\) ?")


def to_sample(row: Row) -> Sample:
    if "Question Stem" not in row:
        return labelled_sample(row)
    _, *parts = _LABEL.split(str(needed(row, "Choices")))
    labels, texts = parts[::2], [text.strip() for text in parts[1::2]]
    key = str(needed(row, "Answer Key"))
    return labelled_sample(
        {
            "id": row.get("ID"),
            "question": row["Question Stem"],
            "choices": {"label": labels, "text": texts},
            "answerKey": key,
        }
    )


BENCHMARK = Benchmark(
    name="openbookqa",
    description="Elementary science questions that take common sense; multiple choice",
    paper="https://arxiv.org/abs/1809.02789",
    licence="Apache-2.0",
    layout=Layout(
        files=("{split}", "Main/{split}", "Data/Main/{split}"),
        splits={"test": ("test",), "validation": ("dev", "validation"), "train": ("train",)},
        example="test.tsv or test.jsonl (ID, Question Stem, Choices, Answer Key)",
    ),
    to_sample=to_sample,
    prompt=CHOICE_PLAIN,
    scorer=MultipleChoice(),
    hub=Hub("allenai/openbookqa", "allenai/openbookqa", config="main"),
    fewshot_splits=("train", "validation"),
)
