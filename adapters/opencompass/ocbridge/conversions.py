"""Rows of benchmarks in their own form → rows as OpenCompass reads them; what has that form already stays as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Row = dict[str, Any]
Convert = Callable[[Row], Row]
"""Raises KeyError, TypeError or ValueError where the row has another form."""

_OPTION = re.compile(r"\(([A-D])\) ?")


def _hellaswag(row: Row) -> Row:
    """The original rows, as the preprocessed ones that OpenCompass was made for."""
    if "query" in row:
        return {"query": row["query"], "choices": row["choices"], "gold": row["gold"]}
    context = row["ctx_a"] + " " + row["ctx_b"].capitalize() if "ctx_a" in row else row["ctx"]
    return {
        "query": _clean(f"{row['activity_label']}: {context}"),
        "choices": [_clean(ending) for ending in row["endings"]],
        "gold": int(row["label"]),
    }


def _clean(text: str) -> str:
    """WikiHow's marks taken out, as is usual for this benchmark."""
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


def _boolq(row: Row) -> Row:
    """``answer``, ``label`` or ``gold`` → the words ``true`` and ``false``."""
    if "query" in row:
        passage, _, question = row["query"].removeprefix("Passage: ").rpartition("\nQuestion: ")
        asked = {"passage": passage, "question": question.removesuffix("Answer:").strip().removesuffix("?")}
        return {**asked, "label": "true" if row["choices"][row["gold"]] == "yes" else "false"}
    label = row["label"] if "label" in row else row["answer"]
    said = label if isinstance(label, str) else {True: "true", False: "false"}[label]
    return {"passage": row["passage"], "question": row["question"], "label": said}


def _lambada(row: Row) -> Row:
    if "prompt" in row:
        return {"prompt": row["prompt"], "label": row["label"]}
    if "continuation" in row:
        return {"prompt": row["context"], "label": row["continuation"].strip()}
    prompt, _, label = row["text"].strip().rpartition(" ")
    return {"prompt": prompt, "label": label}


def _obqa(row: Row) -> Row:
    if "Question Stem" not in row:
        return {"question": row["question"], "answerKey": row["answerKey"]}
    _, *parts = _OPTION.split(row["Choices"])
    choices = [{"text": text.strip(), "label": label} for label, text in zip(parts[::2], parts[1::2], strict=True)]
    return {"question": {"stem": row["Question Stem"], "choices": choices}, "answerKey": row["Answer Key"]}


def _piqa(row: Row) -> Row:
    """OpenCompass takes the ``id`` away, and breaks where there is none."""
    return {"id": "", **row}


CONVERSIONS: Mapping[str, Convert] = {
    "hellaswag": _hellaswag,
    "boolq": _boolq,
    "lambada": _lambada,
    "obqa": _obqa,
    "piqa": _piqa,
}
