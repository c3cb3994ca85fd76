"""HumanEval: functions to be written from their signature and docstring, checked by tests.

    {"task_id": "HumanEval/0", "prompt": "def f(…):\\n    \\"\\"\\"…\\"\\"\\"\\n", "entry_point": "f",
     "canonical_solution": "    return …\\n", "test": "def check(candidate):\\n    assert candidate(…) == …\\n"}

Asked without examples, for the whole function in one block of code. The program is prompt, code and tests (code that
defines the function takes the place of its beginning in the prompt), run in the sandbox (see ``scorers.code``);
``pass_at_1`` is the share that passes, and with ``repeats: n`` pass@k is reported for k up to n, by the paper's
unbiased estimator.

EvalScope asks and scores the same way, but takes the first block of an answer whatever is in it; here a block that
defines the function goes before one that does not. The paper's own script gives each program 3 s on the clock, which
makes a right program wrong on a busy machine; here it is 4 s of CPU time, and 8 s on the clock.
"""

from __future__ import annotations

from bridge.native.benchmark import Benchmark, Hub, Layout, Prompt, Row, Sample, needed
from bridge.native.scorers.code import Code


def to_sample(row: Row) -> Sample:
    prompt, name = str(needed(row, "prompt")), str(needed(row, "entry_point")).strip()
    if not name.isidentifier():
        raise ValueError(f"entry_point {name!r} is no name of a function")
    return Sample(
        target={"prompt": prompt, "name": name, "tests": f"{needed(row, 'test')}\n\ncheck({name})\n"},
        fields={
            "question": prompt.rstrip(),
            "name": name,
            "target": prompt + str(row.get("canonical_solution") or ""),
        },
        id=str(row["task_id"]) if row.get("task_id") is not None else None,
    )


QUESTION = Prompt(
    question=(
        "Write the Python function `{name}` that is begun here. Reply with one code block that holds the whole "
        "function, its imports and whatever it needs besides, and with nothing else.\n\n```python\n{question}\n```"
    )
)

BENCHMARK = Benchmark(
    name="humaneval",
    description="Python functions from their docstrings, checked by running tests",
    paper="https://arxiv.org/abs/2107.03374",
    licence="MIT",
    layout=Layout(
        files=("HumanEval", "human-eval-v2-20210705", "humaneval", "{split}"),
        splits={"test": ("test",)},
        example="HumanEval.jsonl.gz (task_id, prompt, entry_point, canonical_solution, test)",
    ),
    to_sample=to_sample,
    prompt=QUESTION,
    scorer=Code(),
    hub=Hub("opencompass/humaneval", "openai/openai_humaneval", "openai_humaneval"),
    runs_code=True,
)
