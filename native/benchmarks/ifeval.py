"""IFEval: prompts with instructions that a program can check, such as "in at least 300 words" or "without a comma".

    {"key": 1000, "prompt": "Write a summary … no commas …", "instruction_id_list": ["punctuation:no_comma"],
     "kwargs": [{}]}

The prompt is sent as it is. Quoted is the share of prompts of which every instruction was followed to the letter
(``prompt_level_strict``); beside it the loose reading, which forgives Markdown and a line before or after the answer,
and both over instructions instead of prompts (``inst_level_…``), in all and for each group of the 25 kinds. The checks
are in ``scorers.instructions``. An answer is checked without its thinking.

EvalScope's instruction-level figures are means over prompts; here, as in the paper, every instruction counts once. It
and the authors split sentences with a model of NLTK's that has to be downloaded, and take keywords for regular
expressions.
"""

from __future__ import annotations

from bridge.native.benchmark import Benchmark, Hub, Layout, Prompt, Row, Sample, needed
from bridge.native.scorers.following import Followed, Following
from bridge.native.scorers.instructions import checked


def to_sample(row: Row) -> Sample:
    kinds, arguments = list(needed(row, "instruction_id_list")), list(needed(row, "kwargs"))
    if not kinds or len(kinds) != len(arguments):
        raise ValueError(f"{len(kinds)} instructions with {len(arguments)} sets of arguments")
    return Sample(
        target=[{"id": kind, **checked(kind, given or {})} for kind, given in zip(kinds, arguments, strict=True)],
        fields={"question": str(needed(row, "prompt"))},
        id=None if row.get("key") is None else str(row["key"]),
    )


BENCHMARK = Benchmark(
    name="ifeval",
    description="Instructions that a program can check",
    paper="https://arxiv.org/abs/2311.07911",
    licence="Apache-2.0",
    layout=Layout(
        files=("input_data", "{split}"),
        splits={"train": ("train", "test")},
        example="input_data.jsonl (key, prompt, instruction_id_list, kwargs)",
    ),
    to_sample=to_sample,
    summary=Followed,
    prompt=Prompt(question="{question}"),
    scorer=Following(),
    split="train",
    hub=Hub("opencompass/ifeval", "google/IFEval"),
    max_tokens=1280,
)
