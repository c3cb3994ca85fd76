"""HellaSwag: which of four endings continues a scene?

    {"activity_label": "Canoeing", "ctx_a": "A man sits in a boat.", "ctx_b": "he", "endings": ["rows away.", …],
     "label": 0, …}

The context is ``ctx_a`` followed by ``ctx_b`` with a capital. WikiHow's marks are taken out: ``[title]`` becomes a full
stop, other brackets go. Asked without examples, for the letter of the ending; scored on the validation split, as the
test split's labels are not public.

EvalScope asks the same. The paper, GPT-3 and lm-eval compare the likelihood of the endings instead, which is what
``scoring: loglikelihood`` does: another figure, not to be compared with the one for letters. As in lm-eval the scene is
followed by a blank and the ending, without examples; quoted is the accuracy with each sum of log-probabilities divided
by the ending's length in characters (lm-eval's ``acc_norm``), beside it the one of the plain sums (``acc``).
"""

from __future__ import annotations

import re

from bridge.native.benchmark import Benchmark, Hub, Layout, Likelihood, Prompt, Row, Sample, needed
from bridge.native.prompt import CHOICE_PLAIN, choice_sample, continued
from bridge.native.scorers.likelihood import MostLikely
from bridge.native.scorers.multiple_choice import MultipleChoice

_BRACKETS = re.compile(r"\[[^\[\]]*\]")
_BLANKS = re.compile(r" {2,}")


def to_sample(row: Row) -> Sample:
    endings = needed(row, "endings")
    if not isinstance(endings, list):
        raise ValueError("endings is to be a list")
    scene = _scene(row)
    question = f"Which ending goes on best from here?\n\n{scene}"
    return choice_sample(question, [cleaned(str(ending)) for ending in endings], _label(needed(row, "label")))


def to_continuations(row: Row) -> Sample:
    return continued(to_sample(row), question=_scene(row))


def _scene(row: Row) -> str:
    begun = str(row.get("ctx_b") or "")
    context = f"{needed(row, 'ctx_a')} {begun[:1].upper()}{begun[1:]}"
    about = str(row.get("activity_label") or "").strip()
    return cleaned(f"{about}: {context}" if about else context)


def cleaned(text: str) -> str:
    """Without WikiHow's marks."""
    return _BLANKS.sub(" ", _BRACKETS.sub("", text.strip().replace(" [title]", ". "))).strip()


def _label(label: object) -> int:
    text = str(label).strip()
    if not text.isdigit():
        raise ValueError(f"label {label!r} is to be the index of an ending; the test split has none")
    return int(text)


BENCHMARK = Benchmark(
    name="hellaswag",
    description="Which of four endings continues a scene; multiple choice",
    paper="https://arxiv.org/abs/1905.07830",
    licence="MIT",
    layout=Layout(
        files=("hellaswag_{split}", "hellaswag_{split}*", "{split}", "hellaswag"),
        splits={"validation": ("val", "validation"), "train": ("train",)},
        example="hellaswag_val.jsonl, hellaswag_train.jsonl (ctx_a, ctx_b, endings, label)",
    ),
    to_sample=to_sample,
    prompt=CHOICE_PLAIN,
    scorer=MultipleChoice(),
    split="validation",
    hub=Hub("evalscope/hellaswag", "Rowan/hellaswag"),
    fewshot_splits=("train",),
    likelihood=Likelihood(
        to_sample=to_continuations,
        prompt=Prompt(question="{question}", demo="{question}{target}"),
        scorer=MostLikely(normalised=True),
    ),
)
