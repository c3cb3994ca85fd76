"""MMLU: exam questions in 57 subjects, four options each.

    test/astronomy_test.csv, dev/astronomy_dev.csv, without a header:
    How many moons does Earth have?,0,1,2,3,B

Asked with the subject's first five development questions as examples; the model may reason before it answers. The
figure that is quoted is over questions (micro); the mean over subjects (macro), the four categories and each subject
stand beside it.

EvalScope asks the same way. The paper compares the likelihood of the four letters after ``Answer:``, and so does
``scoring: loglikelihood``: its header with the subject, five development questions with their letters, the question. A
letter is one token long, so nothing is normalised.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.native.benchmark import Benchmark, Hub, Layout, Likelihood, Prompt, Row, Sample, needed
from bridge.native.prompt import CHOICE_REASONED, choice_sample, letter_index
from bridge.native.scorers.likelihood import MostLikely
from bridge.native.scorers.multiple_choice import MultipleChoice

SUBJECTS = {
    "STEM": """abstract_algebra anatomy astronomy college_biology college_chemistry college_computer_science
        college_mathematics college_physics computer_security conceptual_physics electrical_engineering
        elementary_mathematics high_school_biology high_school_chemistry high_school_computer_science
        high_school_mathematics high_school_physics high_school_statistics machine_learning""",
    "Humanities": """formal_logic high_school_european_history high_school_us_history high_school_world_history
        international_law jurisprudence logical_fallacies moral_disputes moral_scenarios philosophy prehistory
        professional_law world_religions""",
    "Social Science": """econometrics high_school_geography high_school_government_and_politics
        high_school_macroeconomics high_school_microeconomics high_school_psychology human_sexuality
        professional_psychology public_relations security_studies sociology us_foreign_policy""",
    "Other": """business_ethics clinical_knowledge college_medicine global_facts human_aging management marketing
        medical_genetics miscellaneous nutrition professional_accounting professional_medicine virology""",
}
CATEGORIES = {subject: category for category, subjects in SUBJECTS.items() for subject in subjects.split()}


def to_sample(row: Row) -> Sample:
    options = list(map(str, row["choices"])) if "choices" in row else [str(needed(row, letter)) for letter in "ABCD"]
    answer = needed(row, "answer", "target")
    right = answer if isinstance(answer, int) else letter_index(str(answer), len(options))
    question = str(needed(row, "question", "input"))
    return choice_sample(question, options, right, subset=str(row["subject"]) if row.get("subject") else None)


def to_letters(row: Row) -> Sample:
    """The options are shown, and their letters are what the likelihood is asked of."""
    sample = to_sample(row)
    shown = "\n".join(f"{letter}. {text}" for letter, text in sample.choices.items())
    letters = [f" {letter}" for letter in sample.choices]
    fields = {**sample.fields, "question": sample.fields["question"].strip(), "choices": shown}
    return replace(sample, fields={**fields, "target": f" {sample.target}"}, continuations=letters)


BENCHMARK = Benchmark(
    name="mmlu",
    description="Exam questions in 57 subjects; multiple choice",
    paper="https://arxiv.org/abs/2009.03300",
    licence="MIT",
    layout=Layout(
        files=("{split}/{subset}_{split}", "data/{split}/{subset}_{split}"),
        splits={"test": ("test",), "dev": ("dev",), "validation": ("val", "validation")},
        example="test/<subject>_test.csv and dev/<subject>_dev.csv (question, A, B, C, D, answer; no header)",
        columns=("question", "A", "B", "C", "D", "answer"),
    ),
    to_sample=to_sample,
    prompt=CHOICE_REASONED,
    scorer=MultipleChoice(),
    hub=Hub("cais/mmlu", "cais/mmlu", config="all"),
    subsets=tuple(sorted(CATEGORIES)),
    categories=CATEGORIES,
    num_fewshot=5,
    fewshot_splits=("dev",),
    max_fewshot=5,
    likelihood=Likelihood(
        to_sample=to_letters,
        prompt=Prompt(
            question="{question}\n{choices}\nAnswer:",
            demo="{question}\n{choices}\nAnswer:{target}",
            demos_intro="The following are multiple choice questions (with answers){about}.",
        ),
        scorer=MostLikely(normalised=False),
        num_fewshot=5,
    ),
)
