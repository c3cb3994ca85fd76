"""TruthfulQA, several right answers (MC2): which of these statements are true?

Rows and shuffling as in ``truthful_qa``. Asked without examples, for all letters. The figure that is quoted is the
share of the right letters that were named, 0 where a wrong one is among them; ``exact_match`` is 1 only where all right
ones, and no other, were named.

EvalScope calls the first ``multi_choice_acc``, and asks this with ``multiple_correct``. The paper's MC2 is the
likelihood of all right answers together, which an API for chat cannot have.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.native.benchmark import Row, Sample, needed
from bridge.native.benchmarks import truthful_qa
from bridge.native.prompt import SEVERAL_PLAIN, several_sample, shuffled
from bridge.native.scorers.several_choices import SeveralChoices


def to_sample(row: Row) -> Sample:
    question, labelled = str(needed(row, "question")), truthful_qa.targets(needed(row, "mc2_targets"))
    options = shuffled(list(labelled), question)
    return several_sample(question, options, [at for at, text in enumerate(options) if labelled[text]])


BENCHMARK = replace(
    truthful_qa.BENCHMARK,
    name="truthful_qa_mc2",
    description="Questions that many people answer wrongly; multiple choice, several right (MC2)",
    to_sample=to_sample,
    prompt=SEVERAL_PLAIN,
    scorer=SeveralChoices(),
)
