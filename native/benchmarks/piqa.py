"""PIQA: which of two ways reaches an everyday goal?

    valid.jsonl         {"goal": "To open a jar,", "sol1": "turn its lid.", "sol2": "turn its label."}
    valid-labels.lst    0

The labels stand in a file of their own, a line for each row. Asked without examples, for the letter alone, on the
validation set: the test set's labels are not public.

EvalScope asks the goal alone, of a copy with columns question, choices, answer; here a line says what is wanted. The
paper compares likelihoods.
"""

from __future__ import annotations

from bridge.native.benchmark import Benchmark, Hub, Layout, Row, Sample, needed
from bridge.native.prompt import CHOICE_PLAIN, choice_sample, index_of
from bridge.native.scorers.multiple_choice import MultipleChoice


def to_sample(row: Row) -> Sample:
    question = f"Which way reaches this goal better?\n\n{needed(row, 'goal', 'question')}"
    options = row["choices"] if "choices" in row else [needed(row, "sol1"), needed(row, "sol2")]
    return choice_sample(question, list(map(str, options)), index_of(needed(row, "label", "answer"), len(options)))


BENCHMARK = Benchmark(
    name="piqa",
    description="Which of two ways reaches an everyday goal; multiple choice",
    paper="https://arxiv.org/abs/1911.11641",
    licence="AFL-3.0",
    layout=Layout(
        files=("{split}", "data/{split}"),
        splits={"validation": ("valid", "validation", "dev"), "train": ("train",)},
        example="valid.jsonl (goal, sol1, sol2) and valid-labels.lst",
        labels="-labels.lst",
    ),
    to_sample=to_sample,
    prompt=CHOICE_PLAIN,
    scorer=MultipleChoice(),
    split="validation",
    hub=Hub("extraordinarylab/piqa", "ybisk/piqa"),
    fewshot_splits=("train",),
)
