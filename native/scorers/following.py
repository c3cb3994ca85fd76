"""Were an answer's instructions followed? Strictly, and loosely: as if Markdown and a line around the answer were not
there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.native.benchmark import Metric, Sample, Verdict, Whole
from bridge.native.scorers.instructions import follows

_LEVELS = ("strict", "loose")


@dataclass(frozen=True)
class Following:
    """1 where every instruction of the prompt was followed, else 0."""

    name: str = "instructions"
    metrics: tuple[Metric, ...] = (Metric("prompt_level_strict"), Metric("prompt_level_loose"))

    def at_once(self, answer: str, sample: Sample) -> Verdict | None:
        return None if answer.strip() else Verdict(None, {metric.name: 0.0 for metric in self.metrics}, "none")

    def prepare(self) -> None:
        follows("language:response_language", "Is this a language?", {"language": "en"})
        follows("length_constraints:number_sentences", "One.", {"num_sentences": 1, "relation": "at least"})

    def at_length(self, answer: str, sample: Sample) -> Verdict:
        texts = (answer, *_loosened(answer))
        each = []
        for instruction in sample.target:
            arguments = {name: value for name, value in instruction.items() if name != "id"}
            strict = follows(instruction["id"], answer, arguments)
            each.append((strict, strict or any(follows(instruction["id"], text, arguments) for text in texts[1:])))
        scores = {f"prompt_level_{level}": float(all(one[at] for one in each)) for at, level in enumerate(_LEVELS)}
        return Verdict(_shown(each), scores, "programs")


class Followed:
    """Accuracy over instructions, in all and by group: a prompt with three of them counts three times."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()
        self._done: Counter[tuple[str, str]] = Counter()

    def add(self, subset: str | None, target: Any, extracted: Sequence[str | None]) -> None:
        groups = [str(instruction["id"]).partition(":")[0] for instruction in target]
        for said in extracted:
            self._asked.update(groups)
            for level, marks in zip(_LEVELS, (said or "").split("/"), strict=False):
                self._done.update((level, group) for group, mark in zip(groups, marks, strict=False) if mark == "1")

    def wholes(self) -> Iterator[tuple[str | None, Whole]]:
        total = self._asked.total()
        for level in _LEVELS:
            done = sum(self._done[level, group] for group in self._asked)
            yield None, Whole(f"inst_level_{level}", done / total if total else None, total)
        for group, count in sorted(self._asked.items()):
            for level in _LEVELS:
                yield None, Whole(f"inst_level_{level}:{group}", self._done[level, group] / count, count)


def _loosened(answer: str) -> list[str]:
    lines = answer.split("\n")
    cut = ["\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])]
    return [*cut, *(text.replace("*", "") for text in (answer, *cut))]


def _shown(each: Sequence[tuple[bool, bool]]) -> str:
    """``101/111``: which of the instructions were followed, strictly and loosely."""
    return "/".join("".join(str(int(one[at])) for one in each) for at in range(len(_LEVELS)))
