"""C-Eval: exam questions in Chinese in 52 subjects, from middle school to professions; four options.

    val/law_val.csv, dev/law_dev.csv     id,question,A,B,C,D,answer[,explanation]

Asked in Chinese with the subject's five development questions as examples, with their explanations, on the validation
set: the test set's answers are not public.

EvalScope names the subject in the prompt; here it is not named, as it is not in the row.
"""

from __future__ import annotations

from bridge.native.benchmark import Benchmark, Hub, Layout, Prompt, Row, Sample, needed
from bridge.native.prompt import CHOICE_REASONED_ZH, choice_sample, letter_index
from bridge.native.scorers.multiple_choice import MultipleChoice

SUBJECTS = {
    "Humanities": """art_studies chinese_language_and_literature high_school_chinese high_school_history
        ideological_and_moral_cultivation law legal_professional logic middle_school_history
        modern_chinese_history professional_tour_guide""",
    "Other": """accountant basic_medicine civil_servant clinical_medicine environmental_impact_assessment_engineer
        fire_engineer physician plant_protection sports_science tax_accountant urban_and_rural_planner""",
    "STEM": """advanced_mathematics college_chemistry college_physics college_programming computer_architecture
        computer_network discrete_mathematics electrical_engineer high_school_biology high_school_chemistry
        high_school_mathematics high_school_physics metrology_engineer middle_school_biology
        middle_school_chemistry middle_school_mathematics middle_school_physics operating_system
        probability_and_statistics veterinary_medicine""",
    "Social Science": """business_administration college_economics education_science high_school_geography
        high_school_politics mao_zedong_thought marxism middle_school_geography middle_school_politics
        teacher_qualification""",
}
CATEGORIES = {subject: category for category, subjects in SUBJECTS.items() for subject in subjects.split()}


def to_sample(row: Row) -> Sample:
    right = letter_index(str(needed(row, "answer")), 4)
    explained = str(row.get("explanation") or "").strip()
    return choice_sample(
        str(needed(row, "question")),
        [str(needed(row, letter)) for letter in "ABCD"],
        right,
        id=str(row["id"]) if row.get("id") is not None else None,
        more={"explanation": f"解析：{explained}\n" if explained else ""},
    )


BENCHMARK = Benchmark(
    name="ceval",
    description="Exam questions in Chinese in 52 subjects; multiple choice",
    paper="https://arxiv.org/abs/2305.08322",
    licence="CC-BY-NC-SA-4.0",
    layout=Layout(
        files=("{split}/{subset}_{split}", "data/{split}/{subset}_{split}"),
        splits={"val": ("val",), "dev": ("dev",)},
        example="val/<subject>_val.csv and dev/<subject>_dev.csv (id, question, A, B, C, D, answer)",
    ),
    to_sample=to_sample,
    prompt=Prompt(
        question=CHOICE_REASONED_ZH.question,
        demo="{question}\n\n{choices}\n\n{explanation}答案：{target}",
        demos_intro=CHOICE_REASONED_ZH.demos_intro,
        question_intro=CHOICE_REASONED_ZH.question_intro,
    ),
    scorer=MultipleChoice(),
    split="val",
    hub=Hub("evalscope/ceval", "ceval/ceval-exam", config="{subset}"),
    subsets=tuple(sorted(CATEGORIES)),
    categories=CATEGORIES,
    num_fewshot=5,
    fewshot_splits=("dev",),
    max_fewshot=5,
)
