"""Your own multiple-choice questions about images.

    {"id": "7", "question": "What is in <image 1>?", "image_1": "images/cat.jpg", "options": ["a cat", "a dog"],
     "answer": "A"}

``options`` is a list (in csv and tsv JSON text), or there are columns A, B, C … as in ``general_mcq``; an option may be
an image too, ``<image 2>``. Images as in ``general_vqa``. The model reasons first; scored by the letter, several right
ones as in ``general_mcq``.

EvalScope asks the same way, of one right option only.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from bridge.native.benchmark import Row, Sample
from bridge.native.benchmarks import general_mcq
from bridge.native.images import image_columns
from bridge.native.prompt import CHOICE_REASONED, CHOICE_REASONED_ZH, LETTERS


def to_sample(row: Row) -> Sample:
    options = row.get("options")
    if isinstance(options, str):
        options = orjson.loads(options)
    if options is not None:
        if not isinstance(options, list) or len(options) > 10:
            raise ValueError("options is to be a list of up to ten")
        row = {**row, **dict(zip(LETTERS, map(str, options), strict=False))}
    images = image_columns(row)
    if not images:
        raise ValueError("has no image: image_1 (image_2 …)")
    return replace(general_mcq.to_sample(row), images=images)


BENCHMARK = replace(
    general_mcq.BENCHMARK,
    name="general_vmcq",
    description="Your own multiple-choice questions about images",
    layout=replace(
        general_mcq.BENCHMARK.layout,
        example="<name>_val.jsonl or .tsv (question, image_1, options or A, B, …, answer)",
    ),
    to_sample=to_sample,
    prompt=CHOICE_REASONED,
    prompt_zh=CHOICE_REASONED_ZH,
    fewshot_splits=(),
    max_fewshot=0,
)
