"""BIG-Bench Hard: 27 tasks that took models more than the answer at once.

    bbh/snarks.json              {"examples": [{"input": "Which …? (A) … (B) …", "target": "(B)"}, …]}
    cot-prompts/snarks.txt       the task in a line, then three worked examples (Q: … A: Let's think step by step. …)

Asked with the authors' own worked examples, read from ``cot-prompts`` beside the tasks, all three by default. The model
is asked to end with "So the answer is …", which is what the examples end with. Each task is a subset; the mean over
questions (micro) is quoted.

EvalScope keeps the examples in its package, and takes 0 or 3 of them; here it may be any number up to 3. The line that
says how to end is worded differently.
"""

from __future__ import annotations

from bridge.native.benchmark import Benchmark, Hub, Layout, Prompt, Row, Sample, needed
from bridge.native.scorers.final_answer import FinalAnswer

TASKS = """boolean_expressions causal_judgement date_understanding disambiguation_qa dyck_languages formal_fallacies
    geometric_shapes hyperbaton logical_deduction_five_objects logical_deduction_seven_objects
    logical_deduction_three_objects movie_recommendation multistep_arithmetic_two navigate object_counting
    penguins_in_a_table reasoning_about_colored_objects ruin_names salient_translation_error_detection snarks
    sports_understanding temporal_sequences tracking_shuffled_objects_five_objects
    tracking_shuffled_objects_seven_objects tracking_shuffled_objects_three_objects web_of_lies word_sorting"""


def to_sample(row: Row) -> Sample:
    target = str(needed(row, "target")).strip()
    return Sample(
        target=target,
        fields={
            "question": str(needed(row, "input")).strip(),
            "target": target,
            "task": str(row.get("task") or ""),
            "reasoning": str(row.get("reasoning") or f"So the answer is {target}."),
        },
    )


BENCHMARK = Benchmark(
    name="bbh",
    description="27 tasks that take reasoning; letters, words, numbers",
    paper="https://arxiv.org/abs/2210.09261",
    licence="MIT",
    layout=Layout(
        files=("{split}/{subset}", "{split}/{subset}.txt"),
        splits={"test": ("bbh", "test"), "cot": ("cot-prompts",)},
        example="bbh/<task>.json (examples: input, target) and cot-prompts/<task>.txt",
    ),
    to_sample=to_sample,
    prompt=Prompt(
        question=(
            'Q: {question}\n(Think step by step. End with one sentence of the form "So the answer is …".)\n'
            "A: Let's think step by step."
        ),
        demo="Q: {question}\nA: {reasoning}",
        demos_intro="{task}",
    ),
    scorer=FinalAnswer(),
    hub=Hub("evalscope/bbh", "lukaemon/bbh", config="{subset}"),
    subsets=tuple(TASKS.split()),
    num_fewshot=3,
    max_fewshot=3,
    fewshot_splits=("cot",),
)
