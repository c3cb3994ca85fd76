"""Tiny tables in VLMEvalKit's real layouts, one per family, with drawn pictures.  Standard library only."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]
COLOURS = {"red": (220, 30, 30), "green": (30, 180, 30), "blue": (30, 30, 220), "yellow": (230, 220, 40)}
NAMES = list(COLOURS)


def png(seed: int, size: int = 112) -> str:
    """A square of one colour on white with a stripe at a place of its own, as base64."""
    colour, at = COLOURS[NAMES[seed % 4]], 20 + seed * 7 % 70
    inside = range(size // 4, 3 * size // 4)
    lines = []
    for y in range(size):
        row = [
            (0, 0, 0) if y == at else colour if y in inside and x in inside else (255, 255, 255) for x in range(size)
        ]
        lines.append(b"\0" + bytes(part for pixel in row for part in pixel))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b"")]
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write(path: Path, rows: list[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter="\t", restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def choice(at: int) -> tuple[str, dict[str, str], str]:
    """The right colour, the options by letter, and the right letter."""
    colour, options = NAMES[at % 4], NAMES[at % 3 :] + NAMES[: at % 3]
    return colour, dict(zip("ABCD", options, strict=True)), "ABCD"[options.index(colour)]


def circular(n: int = 4) -> list[Row]:
    """MMBench's: the rotations of question i are i, i + 1e6, …; they refer to the first one's image."""
    rows = []
    for at in range(n):
        colour, options, _ = choice(at)
        texts = list(options.values())
        for turn in range(4):
            turned = texts[turn:] + texts[:turn]
            rows.append(
                {
                    "index": at + turn * 1_000_000,
                    "question": f"Q{at}: What is the colour of the shape?",
                    "hint": "" if at % 2 else "Look at the shape.",
                    **dict(zip("ABCD", turned, strict=True)),
                    "answer": "ABCD"[turned.index(colour)],
                    "category": "attribute_recognition" if at % 2 else "object_localization",
                    "l2-category": "attribute_reasoning" if at % 2 else "coarse_perception",
                    "image": png(at) if turn == 0 else at,
                    "split": "dev",
                }
            )
    return rows


def choices(n: int = 8, prefix: str = "Item") -> list[Row]:
    rows = []
    for at in range(n):
        _, options, letter = choice(at)
        rows.append(
            {
                "index": at,
                "question": f"{prefix} {at}: which colour is shown?",
                **options,
                "answer": letter,
                "category": ["coarse perception", "math"][at % 2],
                "l2-category": ["image scene", "geometry"][at % 2],
                "image": png(at),
            }
        )
    return rows


def pairs(n: int = 4) -> list[Row]:
    """MMVP's: two rows that follow each other have the same question and other images."""
    rows = choices(2 * n)
    for at, row in enumerate(rows):
        row |= {"question": f"Pair {at // 2}: which colour is shown?", "image": png(at + 3)}
    return rows


def yes_no(n: int = 8, **more: Callable[[int], Any]) -> list[Row]:
    rows: list[Row] = []
    for at in range(n):
        question = f"Is there a {NAMES[at % 4]} shape in picture {at}? Please answer yes or no."
        row = {"index": at, "question": question, "answer": "Yes" if at % 2 == 0 else "No", "image": png(at)}
        rows.append(row | {name: of(at) for name, of in more.items()})
    return rows


def mme() -> list[Row]:
    kinds = ["color", "count", "code_reasoning", "OCR"]
    pictures = {"image_path": lambda at: f"{kinds[at // 2 % 4]}_{at // 2}.png"}
    rows = yes_no(16, category=lambda at: kinds[at // 2 % 4], **pictures)
    return [row | {"image": png(at // 2)} for at, row in enumerate(rows)]


def hallusion() -> list[Row]:
    rows = yes_no(
        8, category=lambda at: ["VD", "VS"][at // 4], **{"l2-category": lambda at: ["figure", "map"][at // 4]}
    )
    return [row | {"index": f"{row['category']}_{row['l2-category']}_x_{at // 4}_{at % 4 // 2}_{at % 2}"}
            for at, row in enumerate(rows)]  # fmt: skip


def short(n: int = 6, answer: Callable[[int], str] = str, **more: Callable[[int], Any]) -> list[Row]:
    return [
        {"index": at, "question": f"What number is in chart {at}?", "answer": answer(at), "image": png(at)}
        | {name: of(at) for name, of in more.items()}
        for at in range(n)
    ]


def mmmu() -> list[Row]:
    rows = []
    for at in range(8):
        colour, options, letter = choice(at)
        is_open, split = at == 5, "dev" if at < 3 else "validation"
        rows.append(
            {
                "index": f"{split}_Art_{at}",
                "question": f"<image 1> Compare with <image 2>. Which colour is in figure one, item {at}?",
                **(dict.fromkeys("ABCD", "") if is_open else options),
                "answer": colour if is_open else letter,
                "question_type": "open" if is_open else "multiple-choice",
                "category": ["Art", "Design"][at % 2],
                "l2-category": "Art & Design",
                "split": split,
                "image": str([png(at), png(at + 2)]),
                "image_path": str([f"{at}_1.png", f"{at}_2.png"]),
            }
        )
    return rows


OCR_KINDS = (
    "Regular Text Recognition",
    "Digit String Recognition",
    "Scene Text-centric VQA",
    "Key Information Extraction",
    "Handwritten Mathematical Expression Recognition",
)


def math_vision(n: int = 6) -> list[Row]:
    return [
        {
            "index": at + 1,
            "question": f"How many shapes are in picture {at}?",
            "answer": "ABCDE"[at % 5] if at % 2 else str(at),
            "choices": "['1', '2', '3', '4', '5']" if at % 2 else "[]",
            "category": ["counting", "algebra"][at % 2],
            "l2-category": f"level {at % 3 + 1}",
            "image": png(at),
        }
        for at in range(n)
    ]


def math_vista(n: int = 6) -> list[Row]:
    return [
        {
            "index": at,
            "question": f"Hint: answer. Question: how many shapes are in picture {at}?",
            "answer": str(at),
            "question_type": "free_form",
            "answer_type": "integer",
            "answer_option": "",
            "choices": "[]",
            "task": ["figure question answering", "math word problem"][at % 2],
            "skills": "['arithmetic reasoning']",
            "image": png(at),
        }
        for at in range(n)
    ]


def mm_vet(n: int = 6) -> list[Row]:
    rows = [{"index": at, "question": f"Describe {at}.", "answer": NAMES[at % 4], "image": png(at)} for at in range(n)]
    return [row | {"category": ["rec,ocr", "know,gen", "spat,math"][at % 3]} for at, row in enumerate(rows)]


TABLES: dict[str, Callable[[], list[Row]]] = {
    "MMBench_DEV_EN": circular,
    "MMBench_DEV_EN_V11": lambda: circular(3),
    "MMStar": choices,
    "MMVP": pairs,
    "MME": mme,
    "POPE": lambda: yes_no(8, category=lambda at: ["popular", "adversarial"][at % 2]),
    "HallusionBench": hallusion,
    "AMBER": lambda: yes_no(
        8,
        category=lambda at: ["relation", "discriminative-hallucination"][at % 2],
        image_path=lambda at: f"{at}.png",
    ),
    "VSR-zeroshot": yes_no,
    "ChartQA_TEST": lambda: short(8, split=lambda at: "test_human" if at % 2 else "test_augmented"),
    "TextVQA_VAL": lambda: short(6, lambda at: str([str(at)] * 10), split=lambda _: "val"),
    "DocVQA_VAL": lambda: short(6, lambda at: str([f"ANSWER: {'ABCD'[at % 4]}", "x"])),
    "OCRVQA_TESTCORE": short,
    "OCRBench": lambda: short(10, lambda at: str([str(at), "ABCD"[at % 4]]), category=lambda at: OCR_KINDS[at % 5]),
    "MMMU_DEV_VAL": mmmu,
    "MathVista_MINI": math_vista,
    "MMVet": mm_vet,
    "MathVision_MINI": math_vision,
}


def write_all(folder: Path, *names: str) -> Path:
    """The tables of these datasets (default: of all) as an ``LMUData`` folder."""
    for name in names or TABLES:
        write(folder / f"{name}.tsv", TABLES[name]())
    return folder


def text_of(prompt: str) -> str:
    """The text of a request, without its pictures."""
    try:
        parts = json.loads(prompt)
    except ValueError:
        return prompt
    return "\n".join(part.get("text", "") for part in parts) if isinstance(parts, list) else prompt


def answer(prompt: str) -> str:
    """A model that is right two times out of three, and says it in several ways."""
    text = text_of(prompt)
    number = int((re.findall(r"(?:Item|Pair|Q|item|picture|chart|custom) ?(\d+)", text) or ["0"])[0])
    luck = int(hashlib.sha256(text.encode()).hexdigest(), 16)
    if "yes or no" in text:
        right = ["Yes", "No"][number % 2]
        return [f"{right}.", f"The answer is {right.lower()}, I think.", "No", "I cannot tell."][luck % 4]
    options = dict(re.findall(r"^([A-E])\. (.+)$", text, flags=re.MULTILINE))
    if options:
        return _option(options, number, luck)
    return [str(number), f"{number}", str(luck % 100), f"ANSWER: {'ABCD'[number % 4]}"][luck % 4]


def _option(options: dict[str, str], number: int, luck: int) -> str:
    right = next((letter for letter, text in options.items() if text == NAMES[number % 4]), "A")
    if number == 2:
        return "It could be any of these colours."
    return right if number % 3 else [f"The answer is {right}.", f"({right}) {options[right]}", "B"][luck % 3]


def judge(prompt: str) -> str:
    """A judge that does what VLMEvalKit's prompts ask: extracts, matches, or gives a score."""
    text = text_of(prompt)
    if text.startswith("hello"):
        return "Hello!"
    if "Extracted answer" in text or "Model respone" in text:
        said = re.split(r"Model respon[s]?e: ?", text)[-1].replace("Extracted answer:", "")
        return (re.findall(r"\d+|[A-E]\b", said) or ["?"])[-1]
    if "output a single uppercase character" in text:
        return "ABCD"[len(text) % 4]
    if "Yes / No" in text:
        return "Yes"
    return f"{len(text) % 11 / 10}"
