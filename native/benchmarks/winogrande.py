"""WinoGrande: which of two names or things does the blank in a sentence stand for?

    {"sentence": "The box was too big for the shelf, so _ stayed.", "option1": "box", "option2": "shelf", "answer": "1"}

Asked without examples, for the letter alone, on the development set: the test set's answers are not public.

EvalScope sends the sentence with the options; here a line says what the blank is. The paper, and lm-eval, compare the
likelihood of the sentence's end after each option.
"""

from __future__ import annotations

from bridge.native.benchmark import Benchmark, Hub, Layout, Row, Sample, needed
from bridge.native.prompt import CHOICE_PLAIN, choice_sample
from bridge.native.scorers.multiple_choice import MultipleChoice


def to_sample(row: Row) -> Sample:
    sentence, answer = str(needed(row, "sentence")), str(needed(row, "answer")).strip()
    if "_" not in sentence:
        raise ValueError("the sentence has no blank '_'")
    if answer not in ("1", "2"):
        raise ValueError(f"answer {answer!r} is to be 1 or 2; the test split has none")
    options = [str(needed(row, "option1")), str(needed(row, "option2"))]
    question = f'Which option does the blank "_" in this sentence stand for?\n\n{sentence}'
    return choice_sample(question, options, int(answer) - 1, id=str(row["qID"]) if row.get("qID") else None)


BENCHMARK = Benchmark(
    name="winogrande",
    description="What a blank in a sentence stands for; multiple choice",
    paper="https://arxiv.org/abs/1907.10641",
    licence="CC-BY",
    layout=Layout(
        files=("{split}", "winogrande_1.1/{split}", "{split}_reconstructed"),
        splits={"validation": ("dev", "val", "validation"), "train": ("train_xl", "train")},
        example="dev.jsonl, train_xl.jsonl (sentence, option1, option2, answer)",
    ),
    to_sample=to_sample,
    prompt=CHOICE_PLAIN,
    scorer=MultipleChoice(),
    split="validation",
    hub=Hub("AI-ModelScope/winogrande_val", "allenai/winogrande", config="winogrande_xl"),
    fewshot_splits=("train",),
)
