"""MMLU-Pro: exam questions in 14 fields with up to ten options, harder than MMLU's.

    {"question_id": 70, "question": "Which …?", "options": ["…", …], "answer": "I", "answer_index": 8,
     "cot_content": "A: Let's think step by step. …", "category": "business"}

Asked with the five validation questions of the field as examples, with their reasoning; the model reasons first. Both
means over fields are reported, the one over questions (micro) is quoted.

EvalScope asks the same way. The authors' script extracts "the answer is (X)" and guesses where it finds nothing; here
that scores as wrong.
"""

from __future__ import annotations

from bridge.native.benchmark import Benchmark, Hub, Layout, Prompt, Row, Sample, needed
from bridge.native.prompt import CHOICE_REASONED, choice_sample, letter_index
from bridge.native.scorers.multiple_choice import MultipleChoice

FIELDS = (
    *("biology", "business", "chemistry", "computer science", "economics", "engineering", "health"),
    *("history", "law", "math", "other", "philosophy", "physics", "psychology"),
)


def to_sample(row: Row) -> Sample:
    options = [text for text in map(str, needed(row, "options")) if text != "N/A"]
    reasoning = str(row.get("cot_content") or "").removeprefix("A:").strip()
    return choice_sample(
        str(needed(row, "question")),
        options,
        letter_index(str(needed(row, "answer")), len(options)),
        id=str(row["question_id"]) if "question_id" in row else None,
        subset=str(needed(row, "category")),
        more={"reasoning": reasoning},
    )


BENCHMARK = Benchmark(
    name="mmlu_pro",
    description="Hard exam questions in 14 fields, up to ten options; multiple choice",
    paper="https://arxiv.org/abs/2406.01574",
    licence="MIT",
    layout=Layout(
        files=("{split}",),
        splits={"test": ("test",), "validation": ("validation", "val")},
        example="test.jsonl and validation.jsonl (question, options, answer, category)",
    ),
    to_sample=to_sample,
    prompt=Prompt(
        question=CHOICE_REASONED.question,
        demo="{question}\n\n{choices}\n\n{reasoning}\nANSWER: {target}",
        demos_intro=CHOICE_REASONED.demos_intro,
        question_intro=CHOICE_REASONED.question_intro,
    ),
    scorer=MultipleChoice(),
    hub=Hub("TIGER-Lab/MMLU-Pro", "TIGER-Lab/MMLU-Pro"),
    subsets=FIELDS,
    num_fewshot=5,
    max_fewshot=5,
    fewshot_splits=("validation",),
)
