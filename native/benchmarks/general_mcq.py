"""Your own multiple-choice questions.

    bank_val.jsonl   {"id": "7", "question": "Which …?", "A": "one", "B": "two", "C": "three", "answer": "B"}
    bank_dev.csv     question,A,B,C,answer

An ``answer`` that is a list, or letters with commas, has several right options: ``["A", "C"]``, ``A,C``. Each
``<name>_val`` file is a subset of that name; ``<name>_dev`` has the worked examples for it, if any are wanted. Two
to ten options A to J, without a gap; an option that is empty is no option. ``id`` is optional. Questions in Chinese are
asked in Chinese. Scored by the letter, or by all letters: the share of the right ones, 0 with a wrong one among them.

EvalScope asks all questions in Chinese and reads only a Chinese marker, falling back to the last capital of the answer;
it takes several right options with ``multiple_correct``, for all questions or for none.
"""

from __future__ import annotations

from bridge.native.benchmark import Benchmark, Layout, Row, Sample, needed
from bridge.native.prompt import (
    CHOICE_PLAIN,
    CHOICE_PLAIN_ZH,
    SEVERAL_PLAIN,
    SEVERAL_PLAIN_ZH,
    choice_sample,
    letter_index,
    several_sample,
)
from bridge.native.scorers.several_choices import OneOrSeveral

_OPTIONS = "ABCDEFGHIJ"


def to_sample(row: Row) -> Sample:
    given = [letter for letter in _OPTIONS if str(row[letter] if row.get(letter) is not None else "").strip()]
    if given != list(_OPTIONS[: len(given)]):
        raise ValueError(f"there are options {', '.join(given)}; they are to be A, B, C … without a gap")
    answer = needed(row, "answer")
    id_ = None if row.get("id") in (None, "") else str(row["id"])
    question, options = str(needed(row, "question")), [str(row[letter]) for letter in given]
    if isinstance(answer, list) or "," in str(answer):
        letters = answer if isinstance(answer, list) else str(answer).split(",")
        return several_sample(question, options, [letter_index(str(one), len(given)) for one in letters], id=id_)
    if not isinstance(answer, str):
        raise ValueError(f"the answer is to be a letter or a list of letters, not {type(answer).__name__}")
    return choice_sample(question, options, letter_index(answer, len(given)), id=id_)


BENCHMARK = Benchmark(
    name="general_mcq",
    description="Your own multiple-choice questions",
    paper="",
    licence="",
    layout=Layout(
        files=("{subset}_{split}",),
        splits={"val": ("val",), "dev": ("dev",), "test": ("test",)},
        example="<name>_val.jsonl or .csv (question, A, B, …, answer), <name>_dev for worked examples",
    ),
    to_sample=to_sample,
    prompt=CHOICE_PLAIN,
    prompt_zh=CHOICE_PLAIN_ZH,
    prompt_several=SEVERAL_PLAIN,
    prompt_several_zh=SEVERAL_PLAIN_ZH,
    scorer=OneOrSeveral(),
    split="val",
    fewshot_splits=("dev",),
)
