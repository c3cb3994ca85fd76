"""CMMLU: exam questions in Chinese in 67 subjects, some of them about China alone; four options.

    test/agronomy.csv, dev/agronomy.csv     ,Question,A,B,C,D,Answer

Also in the hubs' form (question, choices as ``(A) …``, answer, category). Asked in Chinese without examples; the model
reasons first. A subject that the authors put into two groups is in "China specific" only, as everywhere.

EvalScope asks the same way and reads the answer behind ``答案：`` only, else the last capital of the text.
"""

from __future__ import annotations

import re

from bridge.native.benchmark import Benchmark, Hub, Layout, Row, Sample, needed
from bridge.native.prompt import CHOICE_REASONED_ZH, choice_sample, letter_index
from bridge.native.scorers.multiple_choice import MultipleChoice

SUBJECTS = {
    "China specific": """ancient_chinese chinese_civil_service_exam chinese_driving_rule chinese_food_culture
        chinese_foreign_policy chinese_history chinese_literature chinese_teacher_qualification
        construction_project_management elementary_chinese elementary_commonsense ethnology
        high_school_politics modern_chinese traditional_chinese_medicine""",
    "Humanities": """arts college_law global_facts international_law jurisprudence logical marxist_theory philosophy
        professional_law world_history world_religions""",
    "Other": """agronomy clinical_knowledge college_medicine computer_security elementary_information_and_technology
        food_science human_sexuality legal_and_moral_basis nutrition professional_medicine sports_science""",
    "STEM": """anatomy astronomy college_actuarial_science college_engineering_hydrology college_mathematics
        college_medical_statistics computer_science conceptual_physics electrical_engineering
        elementary_mathematics genetics high_school_biology high_school_chemistry high_school_mathematics
        high_school_physics machine_learning virology""",
    "Social Science": """business_ethics college_education economics education high_school_geography journalism
        management marketing professional_accounting professional_psychology public_relations
        security_study sociology""",
}
CATEGORIES = {subject: category for category, subjects in SUBJECTS.items() for subject in subjects.split()}
_LABEL = re.compile(r"^\(([A-D])\)\s*")


def to_sample(row: Row) -> Sample:
    options = (
        [_LABEL.sub("", str(text)) for text in row["choices"]]
        if "choices" in row
        else [str(needed(row, letter)) for letter in "ABCD"]
    )
    answer = str(needed(row, "Answer", "answer"))
    labelled = _LABEL.match(answer)
    right = letter_index(labelled[1] if labelled else answer, len(options))
    subset = str(row["category"]) if row.get("category") else None
    return choice_sample(str(needed(row, "Question", "question")), options, right, subset=subset)


BENCHMARK = Benchmark(
    name="cmmlu",
    description="Exam questions in Chinese in 67 subjects; multiple choice",
    paper="https://arxiv.org/abs/2306.09212",
    licence="CC-BY-NC-4.0",
    layout=Layout(
        files=("{split}/{subset}", "data/{split}/{subset}"),
        splits={"test": ("test",), "dev": ("dev",)},
        example="test/<subject>.csv and dev/<subject>.csv (Question, A, B, C, D, Answer)",
    ),
    to_sample=to_sample,
    prompt=CHOICE_REASONED_ZH,
    scorer=MultipleChoice(),
    hub=Hub("evalscope/cmmlu", "haonan-li/cmmlu", config="{subset}"),
    subsets=tuple(sorted(CATEGORIES)),
    categories=CATEGORIES,
    fewshot_splits=("dev",),
    max_fewshot=5,
)
