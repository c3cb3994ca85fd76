"""A record per sample; the rotations of a question are one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.adapters.vlmevalkit.lines import SAMPLES, Line
from bridge.adapters.vlmevalkit.rows import Scores
from bridge.report.schema import SampleRecord

UNREAD = frozenset({"Unknown", ""})
"""What a scorer puts for an answer that it could not read."""


@dataclass(frozen=True)
class Records:
    """Read from disk anew by every iteration."""

    model: str
    dataset: str
    scores: Scores

    def __iter__(self) -> Iterator[SampleRecord]:
        if not self.scores.left.lines:
            return
        with (self.scores.left.folder / SAMPLES).open("rb") as file:
            for unit in self.scores.units:
                raw = []
                for line in unit:
                    file.seek(line.offset)
                    raw.append(json.loads(file.readline()))
                yield _record(self, unit, raw)


def from_run(path: Path) -> str:
    """Relative to the run directory, which is where ``jobs`` is."""
    parts = path.parts
    at = len(parts) - 1 - parts[::-1].index("jobs") if "jobs" in parts else 0
    return str(Path(*parts[at:]))


def is_unread(line: Line) -> bool:
    """Whether the scorer read nothing out of the answer, and counts it as wrong."""
    if "extracted" in line.details:
        return str(line.details["extracted"]) in UNREAD
    return line.extracted is None and "exact_matching" in str(line.details.get("log", ""))


def _record(records: Records, unit: tuple[Line, ...], raw: list[dict[str, Any]]) -> SampleRecord:
    line, first, scores = unit[0], raw[0], records.scores
    return SampleRecord(
        model=records.model,
        dataset=records.dataset,
        subset=line.subset,
        sample_id=line.index,
        repeat=line.repeat,
        input=_shown(first.get("input") or [], scores.left.folder) or "",
        prompt_sha256=first.get("prompt_sha256"),
        target=line.row.get("answer"),
        response=first.get("response"),
        extracted=_extracted(line),
        scores=scores.of(unit),
        error=scores.why_not(unit),
        usage=_total(raw),
        latency_s=first.get("latency_s"),
        finish_reason=line.finish_reason,
        metadata=_metadata(unit, raw),
    )


def _shown(messages: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Images by their path in the run directory."""
    shown = json.loads(json.dumps(messages))
    for message in shown:
        for part in message["content"] if isinstance(message["content"], list) else ():
            for kind in ("image_url", "video_url"):
                if kind in part and not Path(part[kind]["url"]).is_absolute():
                    part[kind]["url"] = f"{from_run(folder)}/{part[kind]['url']}"
    return list(shown)


def _extracted(line: Line) -> Any:
    if "extracted" in line.details:
        return None if str(line.details["extracted"]) in UNREAD else line.details["extracted"]
    return line.extracted if line.extracted is not None else line.details.get("res", line.details.get("eval_pred"))


def _total(raw: list[dict[str, Any]]) -> dict[str, int] | None:
    counts: dict[str, int] = {}
    for one in raw:
        for name, count in (one.get("usage") or {}).items():
            counts[name] = counts.get(name, 0) + count
    return counts or None


def _metadata(unit: tuple[Line, ...], raw: list[dict[str, Any]]) -> dict[str, Any]:
    line = unit[0]
    metadata = {"split": line.split, "category": line.category, "log": line.details.get("log")}
    if line.group != line.index and len(unit) == 1:
        metadata["group"] = line.group
    if len(unit) > 1:
        metadata["rotations"] = [
            {"index": one.index, "target": one.row.get("answer"), "response": told.get("response"),
             "extracted": one.extracted, "error": one.why_not}
            for one, told in zip(unit, raw, strict=True)
        ]  # fmt: skip
    return {name: value for name, value in metadata.items() if value is not None}
