"""What the quickstart's model learns, and what it is asked.  Standard library only.

    python scripts/quickstart_questions.py configs/quickstart

writes the two question files again, the same each time.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

LETTERS = "ABCD"
LARGEST_SUM = 18
ASKED = 40
"""Questions in each of the two files."""

Exchange = tuple[str, str]
"""What the user says, and what the model is to answer."""


def question(a: int, b: int) -> str:
    return f"What is {a}+{b}?"


def operands(rng: random.Random) -> tuple[int, int]:
    return rng.randint(0, 9), rng.randint(0, 9)


def options(rng: random.Random, right: int, place: int) -> tuple[int, ...]:
    """Four different numbers, the right one at ``place``."""
    shown = rng.sample([n for n in range(LARGEST_SUM + 1) if n != right], len(LETTERS))
    shown[place] = right
    return tuple(shown)


# How the question is put -----------------------------------------------------------------------------------------


def native_choice(asked: str, shown: Sequence[int]) -> str:
    """As native's general_mcq does."""
    letters, count = ", ".join(LETTERS), len(LETTERS)
    choices = "\n".join(f"{letter}) {number}" for letter, number in zip(LETTERS, shown, strict=True))
    return (
        f"This question has {count} options, of which exactly one is right. Reply with a single line of the form "
        f'"ANSWER: X" and nothing else, where X is one of {letters}.\n\n{asked}\n\n{choices}'
    )


def opencompass_choice(asked: str, shown: Sequence[int]) -> str:
    """As OpenCompass's custom type does."""
    return f"Question: {asked}" + "".join(f"\n{letter}. {n}" for letter, n in zip(LETTERS, shown, strict=True))


# What is learnt --------------------------------------------------------------------------------------------------


def sum_exchange(rng: random.Random) -> Exchange:
    """The question as it is: native's general_qa, and OpenCompass's custom type."""
    a, b = operands(rng)
    return question(a, b), str(a + b)


def choice_exchange(rng: random.Random, put: Callable[[str, Sequence[int]], str]) -> Exchange:
    """The model may say the sum first: then it has only to find that among the options."""
    a, b = operands(rng)
    place = rng.randrange(len(LETTERS))
    shown = options(rng, a + b, place)
    if (a, b, shown) in _held_out():
        return choice_exchange(rng, put)
    return put(question(a, b), shown), f"{a + b}\nANSWER: {LETTERS[place]}"


KINDS: dict[str, Callable[[random.Random], Exchange]] = {
    "sum": sum_exchange,
    "native choice": lambda rng: choice_exchange(rng, native_choice),
    "opencompass choice": lambda rng: choice_exchange(rng, opencompass_choice),
}


# What is asked ---------------------------------------------------------------------------------------------------


def asked_sums() -> list[tuple[int, int]]:
    return random.Random(1).sample([(a, b) for a in range(10) for b in range(10)], ASKED)


def asked_choices() -> list[tuple[int, int, tuple[int, ...]]]:
    """Every letter is right equally often. Training never shows these options in this order for this sum."""
    rng = random.Random(2)
    places = [index % len(LETTERS) for index in range(ASKED)]
    rng.shuffle(places)
    pairs = rng.sample([(a, b) for a in range(10) for b in range(10)], ASKED)
    return [(a, b, options(rng, a + b, place)) for (a, b), place in zip(pairs, places, strict=True)]


@cache
def _held_out() -> frozenset[tuple[int, int, tuple[int, ...]]]:
    return frozenset(asked_choices())


def write_files(folder: Path) -> None:
    sums = [{"id": f"{a}+{b}", "question": question(a, b), "answer": str(a + b)} for a, b in asked_sums()]
    choices = [
        {
            "id": f"{a}+{b}",
            "question": question(a, b),
            **{letter: str(number) for letter, number in zip(LETTERS, shown, strict=True)},
            "answer": LETTERS[shown.index(a + b)],
        }
        for a, b, shown in asked_choices()
    ]
    _write(folder / "sums" / "sums_test.jsonl", sums)
    _write(folder / "choices" / "choices_val.jsonl", choices)


def _write(path: Path, rows: Iterable[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    write_files(Path(sys.argv[1]))
