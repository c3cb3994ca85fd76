"""TruthfulQA, several right answers (MC2): which of these statements are true?

Rows and shuffling as in ``truthful_qa``. Asked without examples, for all letters. The figure that is quoted is the
share of the right letters that were named, 0 where a wrong one is among them; ``exact_match`` is 1 only where all right
ones, and no other, were named.

EvalScope calls the first ``multi_choice_acc``, and asks this with ``multiple_correct``. The paper's MC2 is what
``scoring: loglikelihood`` gives: the probability of all right answers together, as a share of the probability of all
answers that are listed. Primer and context are those of ``truthful_qa``; sums of log-probabilities are not normalised.
"""

from __future__ import annotations

from dataclasses import replace

from bridge.native.benchmark import Likelihood, Row, Sample, needed
from bridge.native.benchmarks import truthful_qa
from bridge.native.prompt import SEVERAL_PLAIN, continued, several_sample, shuffled
from bridge.native.scorers.likelihood import MassOfTruth
from bridge.native.scorers.several_choices import SeveralChoices


def to_sample(row: Row) -> Sample:
    question, labelled = str(needed(row, "question")), truthful_qa.targets(needed(row, "mc2_targets"))
    options = shuffled(list(labelled), question)
    return several_sample(question, options, [at for at, text in enumerate(options) if labelled[text]])


def to_continuations(row: Row) -> Sample:
    return continued(to_sample(row))


BENCHMARK = replace(
    truthful_qa.BENCHMARK,
    name="truthful_qa_mc2",
    description="Questions that many people answer wrongly; multiple choice, several right (MC2)",
    to_sample=to_sample,
    prompt=SEVERAL_PLAIN,
    scorer=SeveralChoices(),
    likelihood=Likelihood(to_continuations, truthful_qa.CONTINUED, MassOfTruth()),
)
