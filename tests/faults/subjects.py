"""For each backend a small dataset, what asking it comes to, and a model that answers it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opencompass_toys import answer as answer_text
from opencompass_toys import write_mcq
from toolbench_files import finished, react, static_row, step_taken

sys.path.insert(0, str(Path(__file__).parents[1] / "adapters" / "vlmevalkit"))

import vlm_toys

Json = dict[str, Any]
Write = Callable[[Path], Json]


@dataclass(frozen=True)
class Subject:
    """``rows`` is the number of samples, and of different requests."""

    backend: str
    rows: int
    write: Write
    answer: Callable[[str], str]
    in_own_environment: bool = True


def _choices(backend: str) -> Write:
    def write(folder: Path) -> Json:
        write_mcq(folder / "choices", 20)
        return {"name": "general_mcq", "backend": backend, "path": str(folder / "choices")}

    return write


def _images(folder: Path) -> Json:
    vlm_toys.write(folder / "tables" / "MMStar.tsv", vlm_toys.choices(24))
    return {"name": "MMStar", "backend": "vlmevalkit", "path": str(folder / "tables")}


def _tools(folder: Path) -> Json:
    target = react("weather_for_skies", {"city": "Oslo"})
    rows = [static_row(f"Query {at}: is it cold?", target) for at in range(12)]
    rows += [static_row(f"Query {at}: is it cold?", finished("It is cold."), *step_taken()) for at in range(12, 24)]
    path = folder / "toolbench_static" / "in_domain.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(rows), encoding="utf-8")
    return {"name": "toolbench_static", "backend": "toolbench", "path": str(path.parent)}


def _texts(folder: Path) -> Json:
    rows = [{"prompt": f"Write about thing {at}.", "type": "News Report", "length": 100 + at} for at in range(24)]
    path = folder / "longbench_write.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return {"name": "longbench_write", "backend": "longbench_write", "path": str(path)}


def _tool_answer(prompt: str) -> str:
    return react("weather_for_skies", {"city": "Oslo" if len(prompt) % 2 else "Rome"})


def _text_answer(prompt: str) -> str:
    return f"{prompt} " * 12


SUBJECTS = {
    subject.backend: subject
    for subject in (
        Subject("native", 40, _choices("native"), answer_text, in_own_environment=False),
        Subject("opencompass", 40, _choices("opencompass"), answer_text),
        Subject("vlmevalkit", 24, _images, vlm_toys.answer),
        Subject("toolbench", 24, _tools, _tool_answer, in_own_environment=False),
        Subject("longbench_write", 24, _texts, _text_answer, in_own_environment=False),
    )
}
