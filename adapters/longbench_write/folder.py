"""What a job has left in its folder, text by text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bridge.adapters.asking.journal import Journal, Key
from bridge.adapters.asking.request import digest
from bridge.adapters.asking.thinking import without_thinking
from bridge.adapters.longbench_write.settings import ANSWERS, JUDGMENTS, LENGTHS
from bridge.spec import JsonObject


class Text(NamedTuple):
    """One text that there should be, with what each stage has said about it; empty where it has said nothing."""

    task: JsonObject
    key: Key
    answer: JsonObject
    length: JsonObject
    judgment: JsonObject


@dataclass(frozen=True)
class Folder:
    path: Path
    tasks: Sequence[JsonObject]
    """A line for every text, in the file's order, repeats next to each other."""

    def texts(self) -> Iterator[Text]:
        """Only what belongs together: an answer to this request, and a length and marks of this answer."""
        answers, lengths, judgments = (Journal(self.path / name) for name in (ANSWERS, LENGTHS, JUDGMENTS))
        for task in self.tasks:
            key = Key(task["id"], task["repeat"])
            answer = _about(answers.get(key), "request_sha256", task["request_sha256"])
            text = digest(without_thinking(answer["response"])) if "response" in answer else ""
            length = _about(lengths.get(key), "text_sha256", text)
            yield Text(task, key, answer, length, _about(judgments.get(key), "text_sha256", text))


def _about(entry: JsonObject | None, field: str, sha256: str) -> JsonObject:
    return entry if entry is not None and entry.get(field) == sha256 else {}
