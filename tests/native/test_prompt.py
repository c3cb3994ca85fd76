from __future__ import annotations

import pytest

from bridge.native.benchmarks import benchmark
from bridge.native.prompt import choice_sample, letter_index, messages_of, prompt_sha256

GSM8K = """\
These problems have been solved already:

Problem: How many legs have two cats?
Solution: 2*4=8 legs.
ANSWER: \\boxed{8}

Solve this one in the same way:

How many wheels have three cars?

Reason step by step. At the end put the resulting number, and only it, in \\boxed{}."""

ARC = """\
This question has 3 options, of which exactly one is right. Reply with a single line of the form "ANSWER: X" and \
nothing else, where X is one of A, B, C.

Which is cold?

A) fire
B) ice {0}
C) steam"""


def test_gsm8k_asks_like_this() -> None:
    mark = benchmark("gsm8k")
    demo = mark.to_sample({"question": "How many legs have two cats?", "answer": "2*4=<<2*4=8>>8 legs.\n#### 8"})
    asked = mark.to_sample({"question": "How many wheels have three cars?", "answer": "3*4=12\n#### 12"})
    assert messages_of(mark, asked, [demo]) == [{"role": "user", "content": GSM8K}]


def test_arc_asks_like_this() -> None:
    sample = choice_sample("Which is cold?", ["fire", "ice {0}", "steam"], 1)
    assert messages_of(benchmark("arc"), sample) == [{"role": "user", "content": ARC}]


def test_the_hash_is_of_what_is_sent() -> None:
    assert prompt_sha256([{"role": "user", "content": "x"}]) == prompt_sha256([{"content": "x", "role": "user"}])
    assert prompt_sha256([{"role": "user", "content": "x"}]) != prompt_sha256([{"role": "user", "content": "y"}])


def test_letters_stand_for_options() -> None:
    assert [letter_index(letter, 4) for letter in ("A", " d ", "b")] == [0, 3, 1]
    for wrong in ("E", "", "AB", "1", "Ä"):
        with pytest.raises(ValueError, match="one of the letters ABCD"):
            letter_index(wrong, 4)
