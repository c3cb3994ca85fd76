"""MATH-500: the 500 competition problems of MATH that OpenAI chose to test on.

    {"problem": "What is …?", "solution": "… \\\\boxed{12}", "answer": "12", "subject": "Algebra", "level": 2,
     "unique_id": "test/algebra/2.json"}

Asked without examples; the model reasons and boxes its answer. Scored by value (see ``scorers.math``); the levels are
subsets.

EvalScope asks and scores the same way.
"""

from __future__ import annotations

from bridge.native.benchmark import Benchmark, Hub, Layout, Prompt, Row, Sample, needed
from bridge.native.scorers.math import Math


def to_sample(row: Row) -> Sample:
    target = str(needed(row, "answer")).strip()
    if not target:
        raise ValueError("the answer is empty")
    level = str(needed(row, "level"))
    return Sample(
        target=target,
        fields={
            "question": str(needed(row, "problem")).strip(),
            "reasoning": str(row.get("solution") or "").strip(),
            "target": target,
        },
        id=str(row["unique_id"]) if row.get("unique_id") else None,
        subset=level if level.startswith("Level") else f"Level {level}",
    )


BENCHMARK = Benchmark(
    name="math_500",
    description="500 competition problems; the answer is a number or an expression",
    paper="https://arxiv.org/abs/2305.20050",
    licence="MIT",
    layout=Layout(
        files=("{split}", "math_500"),
        splits={"test": ("test",), "train": ("train",)},
        example="test.jsonl (problem, answer, level)",
    ),
    to_sample=to_sample,
    prompt=Prompt(
        question="{question}\n\nReason step by step. At the end put the result, and only it, in \\boxed{{}}.",
        demo="Problem: {question}\nSolution: {reasoning}",
        demos_intro="These problems have been solved already:",
        question_intro="Solve this one in the same way:",
    ),
    scorer=Math(),
    hub=Hub("AI-ModelScope/MATH-500", "HuggingFaceH4/MATH-500"),
    subsets=tuple(f"Level {level}" for level in (1, 2, 3, 4, 5)),
    max_tokens=4096,
)
