"""Which benchmarks have real rows beside the repository, how many, and in what form a right answer to them is given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bridge.native.benchmark import Benchmark, Sample, Verdict
from bridge.native.locate import find_sources
from bridge.native.tables import file_table

REAL = {
    "gsm8k": 600,
    "mmlu": 1140,
    "arc": 600,
    "hellaswag": 500,
    "commonsenseqa": 1221,
    "openbookqa": 500,
    "piqa": 1838,
    "winogrande": 1267,
    "boolq": 500,
    "truthful_qa": 790,
    "truthful_qa_mc2": 790,
    "trivia_qa": 1500,
    "lambada": 1000,
    "bbh": 4261,
}

FORMS = {
    "gsm8k": "It follows that it is \\boxed{{{}}}.",
    "trivia_qa": "It was easy.\nANSWER: {}",
    "lambada": "{}",
    "bbh": "First this.\nThen that. So the answer is {}.",
}
"""How an answer is given; else ``ANSWER: …``."""
FOLDERS = {"trivia_qa": "triviaqa", "truthful_qa": "truthfulqa", "truthful_qa_mc2": "truthfulqa"}


def samples(mark: Benchmark, folder: Path) -> Iterator[Sample]:
    for source in find_sources(mark, folder, mark.split):
        for line in file_table(source, mark.layout).lines():
            assert not line.problem
            yield mark.to_sample(line.row)


def verdict(mark: Benchmark, answer: str, sample: Sample) -> Verdict:
    return mark.scorer.at_once(answer, sample) or mark.scorer.at_length(answer, sample)
