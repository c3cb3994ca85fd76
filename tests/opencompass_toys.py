"""Small made-up datasets in the benchmarks' own layouts, and a model that answers them now right, now wrong."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

LETTERS = "ABCD"
MMLU = ("anatomy", "astronomy", "virology")
BBH = ("navigate", "snarks")
CEVAL = ("law", "physician")
THINGS = ("pears", "stones", "boats", "lamps", "coins")


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def write_csv(path: Path, rows: Iterable[Sequence[Any]], header: Sequence[str] = ()) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if header:
            writer.writerow(header)
        writer.writerows(rows)


def letter(*parts: object) -> str:
    """A letter that is the same for the same parts."""
    return LETTERS[hashlib.sha256(repr(parts).encode()).digest()[0] % 4]


def gsm8k_rows(count: int) -> list[dict[str, str]]:
    return [
        {
            "question": f"Ann has {n} {THINGS[n % 5]} and buys {2 * n + 1} more. How many has she now?",
            "answer": f"She has {n}+{2 * n + 1}={3 * n + 1}.\n#### {3 * n + 1}",
        }
        for n in range(count)
    ]


def write_gsm8k(folder: Path, count: int = 8) -> None:
    write_jsonl(folder / "test.jsonl", gsm8k_rows(count))
    write_jsonl(folder / "train.jsonl", gsm8k_rows(2))


def write_mmlu(folder: Path, count: int = 6, subjects: Sequence[str] = MMLU) -> None:
    for subject in subjects:
        for split, n in (("dev", 5), ("test", count)):
            rows = [
                [f"{subject} {split} question {i}, really?", "one", "two, or so", "three", "four", letter(subject, i)]
                for i in range(n)
            ]
            write_csv(folder / split / f"{subject}_{split}.csv", rows)


def arc_row(name: str, number: int, choices: int = 4) -> dict[str, Any]:
    words = ["Mars", "Venus", "Earth", "Jupiter", "Saturn"][:choices]
    labels = "1234" if number % 3 == 0 else "ABCDE"
    return {
        "id": f"{name}_{number}",
        "question": {
            "stem": f"Which planet is number {number} of {name}?",
            "choices": [{"text": word, "label": label} for word, label in zip(words, labels, strict=False)],
        },
        "answerKey": labels[LETTERS.index(letter(name, number)) % min(choices, 4)],
    }


def write_arc(folder: Path, count: int = 6, odd: int = 0) -> None:
    """``odd`` rows have three choices, which OpenCompass leaves out."""
    for part in ("Easy", "Challenge"):
        for split in ("Dev", "Test"):
            rows = [arc_row(f"{part}{split}", n) for n in range(count)]
            rows += [arc_row(f"{part}{split}", count + n, choices=3) for n in range(odd)]
            write_jsonl(folder / f"ARC-{part}-{split}.jsonl", rows)


def hellaswag_row(number: int) -> dict[str, Any]:
    return {
        "ind": number,
        "activity_label": "Cooking [title] eggs",
        "ctx_a": f"A man puts pan number {number} on the stove [step] slowly.",
        "ctx_b": "he",
        "ctx": f"A man puts pan number {number} on the stove [step] slowly. he",
        "endings": ["sings a song.", "cooks [substeps] two eggs.", "swims home.", "flies."],
        "label": LETTERS.index(letter("hellaswag", number)),
    }


def write_hellaswag(folder: Path, count: int = 6) -> None:
    write_jsonl(folder / "hellaswag_val.jsonl", [hellaswag_row(n) for n in range(count)])


def write_bbh(folder: Path, count: int = 6) -> None:
    turns = [
        {
            "input": f"If you take {n} steps and turn round, are you back?\nOptions:\n- Yes\n- No",
            "target": ["Yes", "No"][n % 2],
        }
        for n in range(count)
    ]
    sarcasm = [
        {
            "input": f"Which statement is sarcastic ({n})?\nOptions:\n(A) Nice rain.\n(B) It rains.",
            "target": f"({'AB'[n % 2]})",
        }
        for n in range(count)
    ]
    for task, rows in (("navigate", turns), ("snarks", sarcasm)):
        path = folder / f"{task}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"canary": "none", "examples": rows}), encoding="utf-8")


def write_ceval(folder: Path, count: int = 6, subjects: Sequence[str] = CEVAL) -> None:
    for subject in subjects:
        for split, n in (("dev", 5), ("val", count), ("test", 2)):
            known = split != "test"
            header = [
                "id",
                "question",
                *LETTERS,
                *(["answer"] if known else []),
                *(["explanation"] if split == "dev" else []),
            ]
            rows = [
                [i, f"{subject} {split} 问题 {i}", "甲", "乙", "丙", "丁"]
                + ([letter(subject, i)] if known else [])
                + (["略"] if split == "dev" else [])
                for i in range(n)
            ]
            write_csv(folder / split / f"{subject}_{split}.csv", rows, header)


def write_mcq(folder: Path, count: int = 6) -> None:
    for subset in ("bank", "shop"):
        rows = [
            {
                "id": f"{subset}-{n}",
                "question": f"What is thing {n} of the {subset}?",
                "A": "red",
                "B": "green",
                "C": "blue",
                "answer": "ABC"[n % 3],
            }
            for n in range(count)
        ]
        write_jsonl(folder / f"{subset}_val.jsonl", rows)


def write_qa(folder: Path, count: int = 6) -> None:
    write_jsonl(
        folder / "sums.jsonl", [{"query": f"What is {n} plus {n}?", "response": str(2 * n)} for n in range(count)]
    )


def write_all(root: Path, count: int = 6) -> None:
    write_gsm8k(root / "gsm8k", count)
    write_mmlu(root / "mmlu", count)
    write_arc(root / "arc", count)
    write_hellaswag(root / "hellaswag", count)
    write_bbh(root / "bbh" / "bbh", count)
    write_ceval(root / "ceval", count)
    write_mcq(root / "general_mcq", count)
    write_qa(root / "general_qa", count)


def answer(prompt: str) -> str:
    """In the manner of a model: several phrasings, sums often right, letters by chance. Of the prompt alone."""
    chance = hashlib.sha256(prompt.encode()).digest()
    question = prompt.rpartition("Question:")[2] or prompt
    numbers = [int(word) for word in question.replace(",", " ").replace("?", " ").split() if word.isdigit()]
    if "plus" in prompt:
        return str(sum(numbers[-2:])) if chance[0] % 3 else "I do not know."
    if "has she now" in question:
        total = sum(numbers[-2:]) + (chance[0] % 3 == 0)
        return f"She has {numbers[-2]} and {numbers[-1]}, so she has {total} in all.\nThe answer is {total}"
    if "are you back" in prompt:
        return f"Let me see. So the answer is {['Yes', 'No'][chance[1] % 2]}."
    if "sarcastic" in prompt and "Options" in prompt:
        return f"It is plain. So the answer is ({'AB'[chance[1] % 2]})."
    picked = LETTERS[chance[2] % 4]
    if "问题" in prompt and chance[3] % 2:
        return f"The answer is {picked}."
    return [f"{picked}", f"The answer is {picked}.", f"({picked})", f"答案：{picked}", f"Answer: {picked}"][
        chance[3] % 5
    ]
