"""AI2 Reasoning Challenge: science exam questions of grades 3 to 9, in an easy and a hard part.

    {"id": "Mercury_1", "question": {"stem": "Which is …?", "choices": [{"text": "ice", "label": "A"}, …]},
     "answerKey": "A"}

Also in the hubs' form, where ``question`` is the text and ``choices`` is ``{"text": […], "label": […]}``. Options may
be labelled 1 to 4 and be three or five; they are shown as A, B, C … in their order. Asked without examples, for the
letter alone.

``scoring: loglikelihood`` compares the likelihood of the options' texts after ``Question: … Answer:``, as GPT-3 and
lm-eval do with base models. Quoted is the accuracy with each sum of log-probabilities divided by the option's length in
characters (lm-eval's ``acc_norm``; GPT-3 divides by the option's likelihood without the question), beside it the one of
the plain sums (``acc``).

EvalScope asks the same. OpenCompass drops questions that have not exactly four options; here they are asked.
"""

from __future__ import annotations

from bridge.native.benchmark import Benchmark, Hub, Layout, Likelihood, Prompt, Row, Sample
from bridge.native.prompt import CHOICE_PLAIN, continued, labelled_sample
from bridge.native.scorers.likelihood import MostLikely
from bridge.native.scorers.multiple_choice import MultipleChoice


def to_continuations(row: Row) -> Sample:
    return continued(labelled_sample(row))


BENCHMARK = Benchmark(
    name="arc",
    description="Science exam questions, grades 3 to 9; multiple choice",
    paper="https://arxiv.org/abs/1803.05457",
    licence="CC-BY-SA-4.0",
    layout=Layout(
        files=("{subset}-{split}", "{subset}/{subset}-{split}", "ARC-V1-Feb2018-2/{subset}/{subset}-{split}"),
        splits={"test": ("Test",), "validation": ("Dev", "Validation"), "train": ("Train",)},
        example="ARC-Easy-Test.jsonl, ARC-Challenge-Test.jsonl (id, question, answerKey)",
    ),
    to_sample=labelled_sample,
    prompt=CHOICE_PLAIN,
    scorer=MultipleChoice(),
    hub=Hub("allenai/ai2_arc", "allenai/ai2_arc", config="{subset}"),
    subsets=("ARC-Easy", "ARC-Challenge"),
    fewshot_splits=("train", "validation"),
    likelihood=Likelihood(
        to_sample=to_continuations,
        prompt=Prompt(question="Question: {question}\nAnswer:", demo="Question: {question}\nAnswer:{target}"),
        scorer=MostLikely(normalised=True),
    ),
)
