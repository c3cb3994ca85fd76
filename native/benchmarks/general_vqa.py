"""Your own questions about images, with reference answers in free text.

    {"id": "7", "question": "What is in <image 1>?", "image_1": "images/cat.jpg", "answer": "a cat"}
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"},
                   {"type": "image_url", "image_url": {"url": "images/cat.jpg"}}]}], "answer": ["a cat", "cat"]}

An image is a path below the folder of the data, a URL (which the server fetches), a ``data:`` URL or plain base64. It
stands where the text says ``<image 1>``, and in front of it where the text does not. In csv and tsv files ``messages``
is JSON text. Otherwise as ``general_qa``: columns, subsets by file, scores by shared words or by a judge.

A row whose image is missing, broken or outside the folder is an error of its own. EvalScope quotes the recall of
ROUGE-L, and leaves images to the server as they are.
"""

from __future__ import annotations

from dataclasses import replace

import orjson

from bridge.native.benchmark import Row, Sample
from bridge.native.benchmarks import general_qa
from bridge.native.images import image_columns


def to_sample(row: Row) -> Sample:
    messages = row.get("messages")
    if isinstance(messages, str) and messages.strip():
        row = {**row, "messages": orjson.loads(messages)}
    sample = replace(general_qa.to_sample(row), images=image_columns(row))
    if not sample.images and not any(isinstance(turn.get("content"), list) for turn in sample.messages):
        raise ValueError("has no image: image_1 (image_2 …), or an image_url in messages")
    return sample


BENCHMARK = replace(
    general_qa.BENCHMARK,
    name="general_vqa",
    description="Your own questions about images, with reference answers in free text",
    layout=replace(
        general_qa.BENCHMARK.layout,
        example="<name>_test.jsonl or <name>.tsv (question, image_1, answer; or messages, answer)",
    ),
    to_sample=to_sample,
    max_fewshot=0,
)
