"""BoolQ: questions that people asked a search engine, to be answered yes or no from a passage.

    {"question": "is ice colder than water", "passage": "Ice is …", "answer": true, "title": "Ice"}
    {"query": "Passage: …\\nQuestion: …\\nAnswer:", "choices": ["no", "yes"], "gold": 1}

Asked without examples as a choice between ``A) Yes`` and ``B) No``, on the development set.

EvalScope shows the same two options. The paper trains a classifier; harnesses that compare likelihoods get other
figures.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.native.benchmark import Benchmark, Hub, Layout, Row, Sample, cluster_of, needed
from bridge.native.prompt import CHOICE_PLAIN, choice_sample
from bridge.native.scorers.multiple_choice import MultipleChoice


def to_sample(row: Row) -> Sample:
    if "query" in row:
        asked = str(row["query"]).removesuffix("Answer:").strip()
        choices = [str(choice).casefold() for choice in needed(row, "choices")]
        return _yes_or_no(asked, choices[int(needed(row, "gold"))] == "yes")
    answer = needed(row, "answer")
    if not isinstance(answer, bool):
        raise ValueError(f"the answer is {answer!r}; it is to be true or false")
    return _yes_or_no(f"Passage: {needed(row, 'passage')}\n\nQuestion: {needed(row, 'question')}?", answer)


def _yes_or_no(asked: str, yes: bool) -> Sample:
    sample = choice_sample(f"Answer the question by the passage alone.\n\n{asked}", ["Yes", "No"], 0 if yes else 1)
    return replace(sample, cluster=cluster_of(asked.rpartition("\nQuestion:")[0]))


BENCHMARK = Benchmark(
    name="boolq",
    description="Yes-or-no questions on a passage",
    paper="https://arxiv.org/abs/1905.10044",
    licence="CC-BY-SA-3.0",
    layout=Layout(
        files=("{split}", "boolq"),
        splits={"validation": ("dev", "val", "validation"), "train": ("train",)},
        example="dev.jsonl, train.jsonl (question, passage, answer)",
    ),
    to_sample=to_sample,
    prompt=CHOICE_PLAIN,
    scorer=MultipleChoice(),
    split="validation",
    hub=Hub("google/boolq", "google/boolq"),
    fewshot_splits=("train",),
)
