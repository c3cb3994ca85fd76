"""TruthfulQA, one right answer (MC1): does the model repeat what many people wrongly believe?

    {"question": "What happens if …?", "mc1_targets": {"Nothing happens": 1, "You die": 0, …}, "mc2_targets": {…}}

Also in the hubs' form (``{"choices": […], "labels": […]}``). The file lists the right answer first, so the options are
shuffled, for each question always in the same way. Asked without examples, for the letter alone.

EvalScope asks the same and shuffles by the question too, into another order; before that A was always right. The
paper's MC1 compares the likelihood of the answers, which an API for chat cannot do: the two are not comparable.
"""

from __future__ import annotations

from typing import Any

from bridge.native.benchmark import Benchmark, Hub, Layout, Row, Sample, needed
from bridge.native.prompt import CHOICE_PLAIN, choice_sample, shuffled
from bridge.native.scorers.multiple_choice import MultipleChoice


def to_sample(row: Row) -> Sample:
    question, labelled = str(needed(row, "question")), targets(needed(row, "mc1_targets"))
    right = [text for text, label in labelled.items() if label]
    if len(right) != 1:
        raise ValueError(f"mc1_targets has {len(right)} right answers; it is to have one")
    options = shuffled(list(labelled), question)
    return choice_sample(question, options, options.index(right[0]))


def targets(value: Any) -> dict[str, int]:
    """Answer → 1 where it is right, else 0."""
    if "choices" in value and "labels" in value:
        return {str(text): int(label) for text, label in zip(value["choices"], value["labels"], strict=True)}
    return {str(text): int(label) for text, label in value.items()}


BENCHMARK = Benchmark(
    name="truthful_qa",
    description="Questions that many people answer wrongly; multiple choice, one right (MC1)",
    paper="https://arxiv.org/abs/2109.07958",
    licence="Apache-2.0",
    layout=Layout(
        files=("mc_task", "data/mc_task", "{split}"),
        splits={"validation": ("validation",)},
        example="mc_task.json (question, mc1_targets, mc2_targets)",
    ),
    to_sample=to_sample,
    prompt=CHOICE_PLAIN,
    scorer=MultipleChoice(),
    split="validation",
    hub=Hub("evalscope/truthful_qa", "truthfulqa/truthful_qa", config="multiple_choice"),
)
