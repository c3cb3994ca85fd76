"""Rows of every short name of the OpenCompass backend, in the layout that OpenCompass reads; no benchmark's own text.

Every question carries a clue, from which a scripted model can tell what is right: ``[clue B]``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import opencompass_toys as toys

LETTERS = "ABCDEFG"
WORDS = ("river", "lamp", "stone", "bridge", "window", "garden", "mirror")
ORDINALS = ("first", "second", "third", "fourth")

Write = Callable[[Path, int], None]


def clue(answer: object) -> str:
    return f"[clue {answer}]"


def pick(seed: object, options: str = "AB") -> str:
    """A letter that is the same for the same seed."""
    return options[sum(repr(seed).encode()) % len(options)]


def word(n: int) -> str:
    return WORDS[n % len(WORDS)]


def write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def write_lines(path: Path, lines: Sequence[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def jsonl(place: str, row: Callable[[int], dict[str, Any]]) -> Write:
    """One file of rows, each made from its number."""
    return lambda data, count: toys.write_jsonl(data / place, [row(n) for n in range(count)])


def few_clue(folder: str, row: Callable[[int], dict[str, Any]]) -> Write:
    """A task of FewCLUE: two files, which OpenCompass scores each."""

    def write(data: Path, count: int) -> None:
        toys.write_jsonl(data / "FewCLUE" / folder / "dev_few_all.json", [row(n) for n in range(count)])
        toys.write_jsonl(data / "FewCLUE" / folder / "test_public.json", [row(n + 50) for n in range(count)])

    return write


def labelled(n: int, labels: dict[str, str], first: str = "sentence1", second: str = "sentence2") -> dict[str, Any]:
    """Two sentences and how they stand to each other; ``labels``: what the file says → letter that is asked for."""
    label = list(labels)[n % len(labels)]
    return {
        first: f"The {word(n)} number {n} is old. {clue(labels[label])}",
        second: f"Something is old ({n}).",
        "label": label,
    }


def obqa(data: Path, count: int) -> None:
    def row(n: int) -> dict[str, Any]:
        key = pick(n, "ABCD")
        choices = [{"text": f"{word(n + i)} {i}", "label": letter} for i, letter in enumerate("ABCD")]
        stem = f"Which thing is number {n}? {clue(key)}"
        return {"question": {"stem": stem, "choices": choices}, "answerKey": key, "fact1": f"things have number {n}"}

    rows = [row(n) for n in range(count)]
    toys.write_jsonl(data / "openbookqa/Main/test.jsonl", rows)
    toys.write_jsonl(data / "openbookqa/Additional/test_complete.jsonl", rows)


def siqa(data: Path, count: int) -> None:
    for split in ("train", "dev"):
        rows = [
            {
                "context": f"Kim found the {word(n)} ({split} {n}). {clue(pick(n, 'ABC'))}",
                "question": "What will Kim do?",
                **{f"answer{letter}": f"{ORDINALS[i]} thing with the {word(n)}" for i, letter in enumerate("ABC")},
            }
            for n in range(count)
        ]
        toys.write_jsonl(data / f"siqa/{split}.jsonl", rows)
        write_lines(data / f"siqa/{split}-labels.lst", ["ABC".index(pick(n, "ABC")) + 1 for n in range(count)])


def piqa(data: Path, count: int) -> None:
    for split in ("train", "dev"):
        rows = [
            {
                "id": f"{split}-{n}",
                "goal": f"How to clean the {word(n)} ({n})? {clue(pick(n))}",
                "sol1": "with water",
                "sol2": "with sand",
            }
            for n in range(count)
        ]
        toys.write_jsonl(data / f"piqa/{split}.jsonl", rows)
        write_lines(data / f"piqa/{split}-labels.lst", ["AB".index(pick(n)) for n in range(count)])


def open_questions(folder: str, name: str) -> Write:
    """Natural Questions and TriviaQA: question and accepted answers, tab separated."""

    def write(data: Path, count: int) -> None:
        for split in ("dev", "test"):
            rows = [
                f"what is thing {n} of {split} called {clue(word(n))}\t{[word(n), word(n) + ' thing']!r}"
                for n in range(count)
            ]
            write_lines(data / folder / f"{name}-{split}.qa.csv", rows)

    return write


def reading(place: str) -> Write:
    """CMRC and DRCD."""

    def write(data: Path, count: int) -> None:
        qas = [
            {"question": f"第{n}个东西是什么？{clue(word(n))}", "answers": [{"text": word(n)}, {"text": word(n)}]}
            for n in range(count)
        ]
        write_json(data / place, {"data": [{"paragraphs": [{"context": "文章说了很多东西。", "qas": qas}]}]})

    return write


def record(data: Path, count: int) -> None:
    rows = [
        {
            "passage": {"text": f"There is a {word(n)} here.\n@highlight\nIt is old. {clue(word(n))}"},
            "qas": [{"query": f"Everybody likes the @placeholder ({n})", "answers": [{"text": word(n)}]}],
        }
        for n in range(count)
    ]
    toys.write_jsonl(data / "SuperGLUE/ReCoRD/val.jsonl", rows)


def math(data: Path, count: int) -> None:
    problems = {
        str(n): {
            "problem": f"What is ${n}+{n + 2}$? {clue(2 * n + 2)}",
            "solution": f"It is $\\boxed{{{2 * n + 2}}}$.",
            "type": "Algebra",
            "level": "Level 1",
        }
        for n in range(count)
    }
    write_json(data / "math/math.json", problems)
    toys.write_jsonl(
        data / "math/test_prm800k_500.jsonl",
        [{"problem": f"{one['problem']} (500)", "solution": one["solution"]} for one in problems.values()],
    )
    write_json(data / "math/test_prm800k_500.json", problems)


def storycloze(data: Path, count: int) -> None:
    for split in ("train", "eval"):
        rows = [
            {
                **{f"input_sentence_{i}": f"Sentence {i} of {split} {n}." for i in range(1, 4)},
                "input_sentence_4": f"Then the {word(n)} broke. {clue(pick((split, n)))}",
                "sentence_quiz1": "It was mended.",
                "sentence_quiz2": "It flew away.",
                "answer_right_ending": "AB".index(pick((split, n))) + 1,
            }
            for n in range(count)
        ]
        toys.write_jsonl(data / f"xstory_cloze/en_{split}.jsonl", rows)


def multirc(data: Path, count: int) -> None:
    def answers(n: int) -> list[dict[str, Any]]:
        return [{"text": f"the {word(n)} {clue('BA'[label])}", "label": label} for label in (0, 1)]

    questions = [{"question": f"What is old ({n})?", "answers": answers(n)} for n in range((count + 1) // 2)]
    toys.write_jsonl(
        data / "SuperGLUE/MultiRC/val.jsonl", [{"passage": {"text": "All is old.", "questions": questions}}]
    )


def c3(data: Path, count: int) -> None:
    choices = ["河", "灯", "石"]
    rows = [
        [
            [f"文章{n}。", "还有一句。"],
            [{"question": f"是什么？{clue('ABC'[n % 3])}", "choice": choices, "answer": choices[n % 3]}],
            f"id-{n}",
        ]
        for n in range(count)
    ]
    write_json(data / "CLUE/C3/dev_0.json", rows)


def lcsts(data: Path, count: int) -> None:
    write_lines(
        data / "LCSTS/test.src.txt", [f"今天第{n}次下雨，河水很高。{clue(f'河水第{n}次很高')}" for n in range(count)]
    )
    write_lines(data / "LCSTS/test.tgt.txt", [f"河水第{n}次很高" for n in range(count)])


def strategyqa(data: Path, count: int) -> None:
    rows = [
        {"question": f"Is the {word(n)} old ({n})? {clue('no' if n % 2 else 'yes')}", "answer": not n % 2}
        for n in range(count)
    ]
    write_json(data / "strategyqa/strategyQA_train.json", rows)


AGIEVAL = {"sat-math": "one", "gaokao-physics": "several", "gaokao-mathcloze": "number"}


def agieval(data: Path, count: int) -> None:
    for name, kind in AGIEVAL.items():
        rows = []
        for n in range(count):
            right = {"one": pick(n, "ABCD"), "several": ["A", "BC", "BD"][n % 3], "number": str(3 * n)}[kind]
            options = [] if kind == "number" else [f"({letter}){word(n)}" for letter in "ABCD"]
            answers = {"label": None, "answer": right} if kind == "number" else {"label": right, "answer": None}
            question = f"Which one ({name}, {n})? {clue(right)}"
            rows.append({"passage": None, "question": question, "options": options, **answers})
        toys.write_jsonl(data / f"AGIEval/data/v1/{name}.jsonl", rows)


CHOICE, BLANK, OPEN = "Multiple-choice_Questions", "Fill-in-the-blank_Questions", "Open-ended_Questions"
GAOKAO = {
    "2010-2022_Math_II_MCQs": (CHOICE, 1, "ABCD"),
    "2010-2022_Physics_MCQs": (CHOICE, 1, "ABCD"),
    "2010-2022_English_Reading_Comp": (CHOICE, 2, "ABCD"),
    "2012-2022_English_Cloze_Test": (CHOICE, 5, "ABCDEFG"),
    "2010-2022_Math_I_Fill-in-the-Blank": (BLANK, 1, "AB"),
    "2010-2022_Geography_Open-ended_Questions": (OPEN, 1, "AB"),
    "2012-2022_English_Language_Error_Correction": (OPEN, 1, "AB"),
}
"""File → its folder, how many letters an answer has, and out of which."""


def gaokao(data: Path, count: int) -> None:
    for name, (folder, length, options) in GAOKAO.items():
        rows = []
        for n in range(count):
            right = [pick((n, i), options) for i in range(length)]
            rows.append({"index": n, "question": f"{name} 第{n}题 {clue(' '.join(right))}", "answer": right})
        write_json(data / "GAOKAO-BENCH/data" / folder / f"{name}.json", {"keywords": name, "example": rows})


CMMLU = ("agronomy", "anatomy", "arts")


def cmmlu(data: Path, count: int) -> None:
    for name in CMMLU:
        for split, n_rows in (("dev", 5), ("test", count)):
            rows = [
                [
                    n,
                    f"{name} {split} 第{n}题 {clue(pick((name, n), 'ABCD'))}",
                    "甲",
                    "乙",
                    "丙",
                    "丁",
                    pick((name, n), "ABCD"),
                ]
                for n in range(n_rows)
            ]
            toys.write_csv(data / f"cmmlu/{split}/{name}.csv", rows, ["", "Question", *"ABCD", "Answer"])


def theoremqa(data: Path, count: int) -> None:
    rows = [
        {
            "Question": f"How many are {n} and {n}? {clue(2 * n)}",
            "Answer": 2 * n,
            "Answer_type": "integer",
            "id": str(n),
        }
        for n in range(count)
    ]
    write_json(data / "TheoremQA/theoremqa_test.json", rows)


def race(data: Path, count: int) -> None:
    for split in ("validation", "test"):
        for name in ("middle", "high"):
            rows = [
                {
                    "article": f"A story of {name} school, {split} {n}. {clue(pick((name, n), 'ABCD'))}",
                    "question": "What was it?",
                    "options": [word(n + i) for i in range(4)],
                    "answer": pick((name, n), "ABCD"),
                }
                for n in range(count)
            ]
            toys.write_jsonl(data / f"race/{split}/{name}.jsonl", rows)


def commonsenseqa(data: Path, count: int) -> None:
    for split in ("train_rand_split", "dev_rand_split"):
        rows = [
            {
                "question": {
                    "stem": f"Where is the {word(n)}? {clue(pick(n, 'ABCDE'))}",
                    "choices": [{"text": word(n + i), "label": letter} for i, letter in enumerate("ABCDE")],
                },
                "answerKey": pick(n, "ABCDE"),
            }
            for n in range(count)
        ]
        toys.write_jsonl(data / f"commonsenseqa/{split}.jsonl", rows)


def ifeval(data: Path, count: int) -> None:
    def row(n: int) -> dict[str, Any]:
        asked = [
            (f"Write about a {word(n)}, without commas.", "punctuation:no_comma", {}),
            (f"Write in English, in lower case, about a {word(n)}.", "change_case:english_lowercase", {}),
            (f"Name the {word(n)} in your answer.", "keywords:existence", {"keywords": [word(n)]}),
        ][n % 3]
        return {"key": 1000 + n, "prompt": f"{asked[0]} ({n})", "instruction_id_list": [asked[1]], "kwargs": [asked[2]]}

    jsonl("ifeval/input_data.jsonl", row)(data, count)


def hellaswag(data: Path, count: int) -> None:
    rows = [
        {"query": f"Cooking: A man puts pan {n} on. {clue('ABCD'[n % 4])}", "choices": list("wxyz"), "gold": n % 4}
        for n in range(count)
    ]
    toys.write_jsonl(data / "hellaswag/hellaswag.jsonl", rows)
