"""GPQA, the diamond set: 198 questions in biology, physics and chemistry that a search does not answer; four options.

    gpqa_diamond.csv    Record ID,Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3

The file lists the right answer first, so the options are shuffled, for each question always in the same way, whatever
the limit or the order. Asked without examples; the model reasons first.

EvalScope asks the same and shuffles by the question too, into another order.
"""

from __future__ import annotations

from bridge.native.benchmark import Benchmark, Hub, Layout, Row, Sample, needed
from bridge.native.prompt import CHOICE_REASONED, choice_sample, shuffled
from bridge.native.scorers.multiple_choice import MultipleChoice

_WRONG = tuple(f"Incorrect Answer {number}" for number in (1, 2, 3))


def to_sample(row: Row) -> Sample:
    question = str(needed(row, "Question")).strip()
    right = str(needed(row, "Correct Answer")).strip()
    options = shuffled([right, *(str(needed(row, name)).strip() for name in _WRONG)], question)
    id_ = str(row["Record ID"]) if row.get("Record ID") else None
    return choice_sample(question, options, options.index(right), id=id_)


BENCHMARK = Benchmark(
    name="gpqa_diamond",
    description="Graduate questions in the sciences that a search does not answer; multiple choice",
    paper="https://arxiv.org/abs/2311.12022",
    licence="CC-BY-4.0",
    layout=Layout(
        files=("gpqa_diamond", "dataset/gpqa_diamond"),
        splits={"train": ("train",)},
        example="gpqa_diamond.csv (Question, Correct Answer, Incorrect Answer 1 to 3)",
    ),
    to_sample=to_sample,
    prompt=CHOICE_REASONED,
    scorer=MultipleChoice(),
    split="train",
    hub=Hub("AI-ModelScope/gpqa_diamond", "Idavidrein/gpqa", config="gpqa_diamond"),
)
