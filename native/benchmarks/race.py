"""RACE: reading comprehension from English exams in Chinese middle and high schools; four options.

    {"example_id": "high1.txt", "article": "…", "question": "Why did …?", "options": ["…", …], "answer": "B"}

In the hubs' form, a table for each of ``high`` and ``middle``, or as the authors' archive, packed (``RACE.tar.gz``) or
unpacked, with a file for each article: ``RACE/test/high/1.txt`` (article, questions, options, answers). Asked with
three worked examples of the training set (which makes for long prompts); the model may reason first.

EvalScope asks the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bridge.native.benchmark import Benchmark, Hub, Layout, Row, Sample, cluster_of, needed
from bridge.native.prompt import CHOICE_REASONED, choice_sample, letter_index
from bridge.native.scorers.multiple_choice import MultipleChoice


def to_sample(row: Row) -> Sample:
    options = list(map(str, needed(row, "options")))
    article = str(needed(row, "article"))
    question = f"Article:\n{article}\n\nQuestion: {needed(row, 'question')}"
    id_ = str(row["document"]) if "document" in row else None
    sample = choice_sample(question, options, letter_index(str(needed(row, "answer")), len(options)), id=id_)
    return replace(sample, cluster=cluster_of(article))


def rows_of(article: Row) -> Iterator[Row]:
    """A row for each question of an article in the authors' form."""
    columns = [needed(article, name) for name in ("questions", "options", "answers")]
    if len({len(column) for column in columns}) != 1:
        raise ValueError("has not as many questions as options and answers")
    for number, (question, options, answer) in enumerate(zip(*columns, strict=True)):
        row = {"question": question, "options": options, "answer": answer, "article": needed(article, "article")}
        yield {**row, "document": f"{article['document']}#{number}"}


BENCHMARK = Benchmark(
    name="race",
    description="Reading comprehension from school exams; multiple choice",
    paper="https://arxiv.org/abs/1704.04683",
    licence="non-commercial research",
    layout=Layout(
        files=("{subset}/{split}", "{subset}_{split}"),
        splits={"test": ("test",), "validation": ("validation", "dev"), "train": ("train",)},
        documents=("{split}/{subset}/*.txt", "RACE/{split}/{subset}/*.txt"),
        rows_of=rows_of,
        example="RACE.tar.gz, RACE/test/high/*.txt; or high/test.jsonl (article, question, options, answer), …",
    ),
    to_sample=to_sample,
    prompt=CHOICE_REASONED,
    scorer=MultipleChoice(),
    hub=Hub("evalscope/race", "ehovy/race", config="{subset}"),
    subsets=("high", "middle"),
    num_fewshot=3,
    fewshot_splits=("train", "validation"),
)
