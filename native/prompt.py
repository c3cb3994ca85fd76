"""From a sample to the messages that are sent, and the prompts that several benchmarks share."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import orjson

from bridge.native.benchmark import Benchmark, Message, Prompt, Sample

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CHINESE = re.compile(r"[\u4e00-\u9fff]")

_CHOICE_DEMO = "{question}\n\n{choices}\n\nANSWER: {target}"
_INTRO = "Solved examples:"
_NOW = "Now it is your turn."

CHOICE_PLAIN = Prompt(
    question=(
        "This question has {count} options, of which exactly one is right. Reply with a single line of the form "
        '"ANSWER: X" and nothing else, where X is one of {letters}.\n\n{question}\n\n{choices}'
    ),
    demo=_CHOICE_DEMO,
    demos_intro=_INTRO,
    question_intro=_NOW,
)
"""Asks for the letter and nothing else."""

CHOICE_REASONED = Prompt(
    question=(
        "This question has {count} options, of which exactly one is right. Think it through step by step, then end "
        'with a line of its own of the form "ANSWER: X", where X is one of {letters}.\n\n{question}\n\n{choices}'
    ),
    demo=_CHOICE_DEMO,
    demos_intro=_INTRO,
    question_intro=_NOW,
)
"""Asks for the reasoning first."""

CHOICE_PLAIN_ZH = Prompt(
    question=(
        "下面的问题有{count}个选项，其中只有一个正确。请只回答一行，格式为“答案：X”，X 是 {letters} 之一，"
        "不要写其他内容。\n\n{question}\n\n{choices}"
    ),
    demo="{question}\n\n{choices}\n\n答案：{target}",
    demos_intro="以下是一些例题：",
    question_intro="请回答下面的问题：",
)
"""``CHOICE_PLAIN`` for questions in Chinese."""


def is_chinese(text: str) -> bool:
    return _CHINESE.search(text) is not None


def choice_sample(
    question: str, options: Sequence[str], right: int, *, id: str | None = None, subset: str | None = None
) -> Sample:
    """A multiple-choice sample; ``right`` is the index of the right option. Raises ValueError where there is none."""
    if not 2 <= len(options) <= len(LETTERS):
        raise ValueError(f"{len(options)} options; there are to be 2 to {len(LETTERS)}")
    if not 0 <= right < len(options):
        raise ValueError(f"the right answer is option {right + 1} of {len(options)}")
    letters = LETTERS[: len(options)]
    choices = dict(zip(letters, options, strict=True))
    fields = {
        "question": question,
        "choices": "\n".join(f"{letter}) {text}" for letter, text in choices.items()),
        "letters": ", ".join(letters),
        "count": str(len(options)),
        "target": letters[right],
    }
    return Sample(target=letters[right], fields=fields, id=id, subset=subset, choices=choices)


def letter_index(answer: str, count: int) -> int:
    """Index of the option that a letter stands for. Raises ValueError, with what is allowed, for anything else."""
    index = LETTERS.find(answer.strip().upper()) if answer.strip() else -1
    if len(answer.strip()) != 1 or not 0 <= index < count:
        raise ValueError(f"the answer is {answer!r}; it is to be one of the letters {LETTERS[:count]}")
    return index


def messages_of(benchmark: Benchmark, sample: Sample, demos: Sequence[Sample] = ()) -> list[Message]:
    """What is sent for the sample: its own conversation where it has one, else the benchmark's prompt."""
    if sample.messages:
        return list(sample.messages)
    prompt = prompt_of(benchmark, sample)
    text = prompt.question.format_map(sample.fields)
    if demos:
        shown = [prompt.demo.format_map(demo.fields) for demo in demos]
        text = "\n\n".join([prompt.demos_intro, *shown, prompt.question_intro, text])
    system = sample.fields.get("system") or prompt.system
    return [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": text}]


def prompt_of(benchmark: Benchmark, sample: Sample) -> Prompt:
    chinese = benchmark.prompt_zh is not None and is_chinese(sample.fields.get("question", ""))
    return benchmark.prompt_zh if chinese and benchmark.prompt_zh else benchmark.prompt


def prompt_sha256(messages: Sequence[Message]) -> str:
    """Hash of the messages as compact JSON with sorted keys."""
    return hashlib.sha256(orjson.dumps(messages, option=orjson.OPT_SORT_KEYS)).hexdigest()
