"""LAMBADA: the last word of a passage from a novel, which only the whole passage tells.

    {"context": "… I don't care about", "continuation": "signs"}     or     {"text": "… I don't care about signs"}

Asked without examples for one word; right where the answer's first word is it. EvalScope 1.14.1 does not have it. The
paper and other harnesses compare likelihoods, or the text that a base model goes on with: other figures.
"""

from __future__ import annotations

from bridge.native.benchmark import Benchmark, Hub, Layout, Prompt, Row, Sample, needed
from bridge.native.scorers.first_word import FirstWord


def to_sample(row: Row) -> Sample:
    whole = str(needed(row, "context", "text")).strip()
    passage, _, word = (whole, "", str(row["continuation"])) if "continuation" in row else whole.rpartition(" ")
    if not passage or not word.strip():
        raise ValueError("there is no last word")
    return Sample(target=word.strip(), fields={"question": passage, "target": word.strip()})


BENCHMARK = Benchmark(
    name="lambada",
    description="The last word of a passage",
    paper="https://arxiv.org/abs/1606.06031",
    licence="CC-BY-4.0",
    layout=Layout(
        files=("lambada_openai", "lambada_{split}", "{split}"),
        splits={"test": ("test",)},
        example="lambada_test.jsonl (text) or lambada_openai.jsonl (context, continuation)",
    ),
    to_sample=to_sample,
    prompt=Prompt(
        question="Which word comes next in this passage? Reply with that one word and nothing else.\n\n{question}",
        demo="{question}\n{target}",
    ),
    scorer=FirstWord(),
    hub=Hub("EleutherAI/lambada_openai", "EleutherAI/lambada_openai"),
)
