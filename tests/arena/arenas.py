"""Arenas made of a few numbers: a server that is model and judge, questions, answer files, specs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml

from bridge.native.arena.folder import ArenaFolder

QUALITY = re.compile(r"quality (\d+)")


def say(prompt: str) -> str:
    """A judge of ours names the answer of higher quality; a model answers with its own (``answers`` has them)."""
    found = [int(number) for number in QUALITY.findall(prompt)]
    if "<answer-A" in prompt or "<talk-A" in prompt:
        half = len(found) // 2
        first, second = sum(found[:half]), sum(found[half:])
        return f"I looked.\n[[{'C' if first == second else 'A' if first > second else 'B'}]]"
    if "<answer" in prompt or "<talk" in prompt:
        return f"Fine.\n[[{min(10, max(1, found[-1]))}]]"
    return f"An answer to {prompt[:40]}, quality 5."


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    return path


def make_questions(folder: Path, n: int = 6, turns: int = 1, categories: Sequence[str] = ("math", "writing")) -> Path:
    rows = [
        {
            "question_id": at,
            "category": categories[at % len(categories)],
            "turns": [f"Question {at}, turn {turn}?" for turn in range(1, turns + 1)],
        }
        for at in range(n)
    ]
    return write_lines(folder / "question.jsonl", rows)


def make_answers(folder: Path, model: str, qualities: Sequence[Any], turns: int = 1) -> Path:
    """An answer for each question, by its quality; what is no number is the answer itself."""
    rows = []
    for at, quality in enumerate(qualities):
        text = f"{model} says {at}, quality {quality}." if type(quality) is int else quality
        rows.append({"question_id": at, "model_id": model, "choices": [{"index": 0, "turns": [text] * turns}]})
    return write_lines(folder / f"{re.sub('[^a-z0-9]', '_', model)}.jsonl", rows)


def write_spec(folder: Path, judge_url: str, models: Mapping[str, Any], **fields: Any) -> Path:
    """``models``: name → answer file, or URL. ``arena``: fields of the block, beside mode pairwise-all."""
    # Few resamples: what the intervals are worth is tested elsewhere.
    arena = {"mode": "pairwise-all", "rating": {"ci": {"resamples": 50}}, **fields.pop("arena", {})}
    spec = {
        "name": "test",
        "models": [
            {"name": name, **({"endpoint": {"base_url": at}} if isinstance(at, str) else {"answers": str(at)})}
            for name, at in models.items()
        ],
        "questions": str(folder / "question.jsonl"),
        "arena": arena,
        "concurrency": 8,
        "max_retries": 1,
        **fields,
    }
    if "judges" not in spec and "judge" not in spec:
        spec["judge"] = judge("judge", judge_url)
    path = folder / "spec.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    return path


def judge(name: str, url: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "endpoint": {"base_url": url, "probe": False}, **fields}


def rows_of(run: Path, name: str = "battles.jsonl") -> list[dict[str, Any]]:
    path = run / name
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def report_of(run: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return report


def folder_of(run: Path) -> ArenaFolder:
    return ArenaFolder(run)
