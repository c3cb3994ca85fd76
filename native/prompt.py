"""From a sample to the messages that are sent, and the prompts that several benchmarks share."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from bridge.native.benchmark import Benchmark, Message, Prompt, Row, Sample, needed
from bridge.native.images import placed

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

CHOICE_REASONED_ZH = replace(
    CHOICE_PLAIN_ZH,
    question=(
        "下面的问题有{count}个选项，其中只有一个正确。请先一步一步地思考，然后用单独的一行结束回答，"
        "格式为“答案：X”，X 是 {letters} 之一。\n\n{question}\n\n{choices}"
    ),
)
"""``CHOICE_REASONED`` for questions in Chinese."""

SEVERAL_PLAIN = replace(
    CHOICE_PLAIN,
    question=(
        "This question has {count} options, of which one or more are right. Reply with a single line of the form "
        '"ANSWER: X, Y" and nothing else, which names every right option and no other; the options are {letters}.'
        "\n\n{question}\n\n{choices}"
    ),
)
"""Asks for the letters of all right options."""

SEVERAL_PLAIN_ZH = replace(
    CHOICE_PLAIN_ZH,
    question=(
        "下面的问题有{count}个选项，其中一个或多个正确。请只回答一行，格式为“答案：X, Y”，写出所有正确选项的字母，"
        "不要写错误的选项；选项为 {letters}。\n\n{question}\n\n{choices}"
    ),
)
"""``SEVERAL_PLAIN`` for questions in Chinese."""


def is_chinese(text: str) -> bool:
    return _CHINESE.search(text) is not None


def choice_sample(
    question: str,
    options: Sequence[str],
    right: int,
    *,
    id: str | None = None,
    subset: str | None = None,
    more: Mapping[str, str] | None = None,
) -> Sample:
    """A multiple-choice sample; ``right`` is the index of the right option, ``more`` are further fields of the prompt.

    Raises ValueError where there is no such option.
    """
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
        **(more or {}),
    }
    return Sample(target=letters[right], fields=fields, id=id, subset=subset, choices=choices)


def continued(sample: Sample, **more: str) -> Sample:
    """The sample for scoring by likelihood: a blank and the option's text follow the context; ``more`` are fields."""
    texts = list(sample.choices.values())
    right = f" {sample.choices[sample.target]}" if isinstance(sample.target, str) else ""
    fields = {**sample.fields, "target": right, **more}
    return replace(sample, fields=fields, continuations=[f" {text}" for text in texts])


def several_sample(question: str, options: Sequence[str], right: Sequence[int], *, id: str | None = None) -> Sample:
    """A multiple-choice sample with several right options, given by index. Raises ValueError where there is none."""
    if not right:
        raise ValueError("no option is right; there is to be one or more")
    sample = choice_sample(question, options, max(right), id=id)
    letters = [LETTERS[at] for at in sorted(set(right))]
    return replace(sample, target=letters, fields={**sample.fields, "target": ", ".join(letters)})


def labelled_sample(row: Row) -> Sample:
    """A row whose options have labels, in AI2's form or in the hubs' (see ``benchmarks.arc``)."""
    asked = needed(row, "question", "question_stem")
    if isinstance(asked, str):
        choices = needed(row, "choices")
        stem, labels, texts = asked, list(choices["label"]), list(choices["text"])
    else:
        stem, choices = asked["stem"], asked["choices"]
        labels, texts = [c["label"] for c in choices], [c["text"] for c in choices]
    key = str(needed(row, "answerKey"))
    if key not in labels:
        raise ValueError(f"answerKey {key!r} is none of the labels {', '.join(labels)}")
    id_ = str(row["id"]) if row.get("id") is not None else None
    return choice_sample(str(stem), list(map(str, texts)), labels.index(key), id=id_)


def shuffled(options: Sequence[str], seed: str) -> list[str]:
    """The options in an order that depends on ``seed`` alone, such as the question's own text."""
    mixed = list(options)
    random.Random(seed).shuffle(mixed)
    return mixed


def index_of(answer: object, count: int) -> int:
    """Index of an option that is given by its index or its letter. Raises ValueError for anything else."""
    text = str(answer).strip()
    return int(text) if text.isdigit() else letter_index(text, count)


def letter_index(answer: str, count: int) -> int:
    """Index of the option that a letter stands for. Raises ValueError, with what is allowed, for anything else."""
    index = LETTERS.find(answer.strip().upper()) if answer.strip() else -1
    if len(answer.strip()) != 1 or not 0 <= index < count:
        raise ValueError(f"the answer is {answer!r}; it is to be one of the letters {LETTERS[:count]}")
    return index


def messages_of(benchmark: Benchmark, sample: Sample, demos: Sequence[Sample] = ()) -> list[Message]:
    """What is sent for the sample: its own conversation where it has one, else the benchmark's prompt."""
    if sample.messages:
        return placed(sample.messages, sample.images)
    prompt = prompt_of(benchmark, sample)
    text = prompt.question.format_map(sample.fields)
    if demos:
        shown = [prompt.demo.format_map(demo.fields) for demo in demos]
        intro = prompt.demos_intro.format_map(demos[0].fields)
        text = "\n\n".join(filter(None, [intro, *shown, prompt.question_intro, text]))
    system = sample.fields.get("system") or prompt.system
    messages = [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": text}]
    return placed(messages, sample.images)


def prompt_of(benchmark: Benchmark, sample: Sample) -> Prompt:
    one, chinese = benchmark.prompt, benchmark.prompt_zh
    if benchmark.prompt_several is not None and sample.choices and not isinstance(sample.target, str):
        one, chinese = benchmark.prompt_several, benchmark.prompt_several_zh
    return chinese if chinese is not None and is_chinese(sample.fields.get("question", "")) else one


def prompt_sha256(messages: Sequence[Message]) -> str:
    """Hash of the messages as compact JSON with sorted keys."""
    return hashlib.sha256(orjson.dumps(messages, option=orjson.OPT_SORT_KEYS)).hexdigest()
