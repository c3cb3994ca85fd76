"""The scores of one column (model × backend × dataset) as arrays: about a hundred bytes per sample, texts as hashes.

Texts are read again, by offset, for the few samples that are shown. Hashes hold within one process only.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from bridge.errors import OutputError
from bridge.report.estimate import HUGE
from bridge.report.paired import Floats, Integers
from bridge.report.prompt_text import plain_text
from bridge.report.schema import SampleRecord

UNPARSED, TRUNCATED, DOUBLED = 1, 2, 4
"""Flags: nothing was read out of the answer; the answer ended at the limit; the id is there more than once."""
DECLARED, SUBSET, NO_CLUSTER = "declared", "subset", "none"
"""Where clusters come from: ``metadata.cluster`` where records have it; the subset; nowhere. Else a key of metadata."""
MAX_REPEATS = 63
"""Beyond these a repeat that is there twice is not noticed."""
_COLUMNS: tuple[str, ...] = (
    *("key", "id", "offset", "flags", "prompt", "input", "response", "extracted", "target", "cluster", "subset"),
    *("scored", "missing"),
)


@dataclass(frozen=True)
class Scores:
    """One entry per sample in every array, in the file's order; of repeats the mean, and the texts of the first."""

    path: Path
    key: Integers
    """Hash of subset and sample id."""
    id: Integers
    """Hash of the sample id alone."""
    score: Floats
    """NaN where there is none."""
    squares: Floats
    """Summed squares over the repeats, for the spread of one sample's answers."""
    scored: Integers
    missing: Integers
    """Repeats with a score, and without."""
    offset: Integers
    flags: npt.NDArray[np.uint8]
    prompt: Integers
    """Hash of the recorded hash of what was sent; 0 where there is none."""
    input: Integers
    response: Integers
    extracted: Integers
    target: Integers
    cluster: Integers
    clustered: bool
    """Every sample names its cluster."""
    subset: Integers
    subsets: tuple[str | None, ...]
    """The names that ``subset`` numbers."""
    unreadable: int = 0
    first_unreadable: str = ""

    def __len__(self) -> int:
        return len(self.key)

    def record(self, at: int) -> SampleRecord:
        """The first record of the sample, read from the file."""
        with self.path.open("rb") as file:
            file.seek(int(self.offset[at]))
            return SampleRecord.model_validate_json(file.readline())


def read_scores(path: Path, metric: str, cluster: str = DECLARED) -> Scores:
    """Raises OutputError where the file cannot be opened; lines that cannot be read are counted."""
    reader = _Reader(metric, cluster)
    try:
        with path.open("rb") as file:
            offset = 0
            for number, line in enumerate(file, 1):
                if not reader.take(line, offset):
                    reader.refuse(f"{path.name}:{number}")
                offset += len(line)
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror or error}") from error
    return reader.scores(path)


def score_in(scores: object, metric: str) -> float | None:
    """The metric's score, or the only one that there is; None where it is no finite number."""
    if not isinstance(scores, dict):
        return None
    value = next(iter(scores.values())) if metric not in scores and len(scores) == 1 else scores.get(metric)
    if isinstance(value, (int, float)) and isfinite(value) and abs(value) < HUGE:
        return float(value)
    return None


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value.strip().casefold()
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()


def _integers() -> array[int]:
    return array("q")


@dataclass
class _Reader:
    metric: str
    cluster_key: str
    at: dict[int, int] = field(default_factory=dict)
    """Key → place."""
    columns: dict[str, array[int]] = field(default_factory=lambda: {name: _integers() for name in _COLUMNS})
    sums: array[float] = field(default_factory=lambda: array("d"))
    squares: array[float] = field(default_factory=lambda: array("d"))
    seen: array[int] = field(default_factory=lambda: array("Q"))
    """Bits of the repeats that are there."""
    subsets: dict[str | None, int] = field(default_factory=dict)
    clustered: bool = True
    unreadable: int = 0
    first_unreadable: str = ""

    def refuse(self, where: str) -> None:
        self.unreadable += 1
        self.first_unreadable = self.first_unreadable or where

    def take(self, line: bytes, offset: int) -> bool:
        """False where the line is no record of a sample."""
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            return False
        if not isinstance(record, dict) or not isinstance(record.get("sample_id"), str) or "scores" not in record:
            return False
        subset, sample_id = record.get("subset"), record["sample_id"]
        key = hash((subset, sample_id))
        place = self.at.get(key)
        if place is None:
            place = self.at[key] = len(self.sums)
            self._open(record, key, sample_id, subset if isinstance(subset, str) else None, offset)
        self._count(place, record)
        return True

    def _open(self, record: dict[str, Any], key: int, sample_id: str, subset: str | None, offset: int) -> None:
        columns, response, extracted = self.columns, record.get("response"), record.get("extracted")
        prompt = record.get("prompt_sha256")
        unparsed = UNPARSED if extracted is None and response is not None else 0
        truncated = TRUNCATED if record.get("finish_reason") == "length" else 0
        columns["key"].append(key)
        columns["id"].append(hash(sample_id))
        columns["offset"].append(offset)
        columns["flags"].append(unparsed | truncated)
        columns["prompt"].append(hash(prompt) if isinstance(prompt, str) and prompt else 0)
        columns["input"].append(hash(plain_text(record.get("input"))))
        columns["response"].append(hash(response.strip() if isinstance(response, str) else None))
        columns["extracted"].append(hash(_shown(extracted)))
        columns["target"].append(hash(_shown(record.get("target"))))
        columns["cluster"].append(self._cluster(record, subset))
        columns["subset"].append(self.subsets.setdefault(subset, len(self.subsets)))
        columns["scored"].append(0)
        columns["missing"].append(0)
        self.sums.append(0.0)
        self.squares.append(0.0)
        self.seen.append(0)

    def _count(self, place: int, record: dict[str, Any]) -> None:
        repeat = record.get("repeat")
        if isinstance(repeat, int) and 0 <= repeat < MAX_REPEATS:
            if self.seen[place] >> repeat & 1:
                self.columns["flags"][place] |= DOUBLED
            self.seen[place] |= 1 << repeat
        score = score_in(record["scores"], self.metric) if record.get("error") is None else None
        if score is None:
            self.columns["missing"][place] += 1
            return
        self.columns["scored"][place] += 1
        self.sums[place] += score
        self.squares[place] += score * score

    def _cluster(self, record: dict[str, Any], subset: str | None) -> int:
        if self.cluster_key == SUBSET:
            return hash(subset)
        metadata = record.get("metadata")
        name = "cluster" if self.cluster_key == DECLARED else self.cluster_key
        value = metadata.get(name) if isinstance(metadata, dict) else None
        self.clustered &= value is not None and self.cluster_key != NO_CLUSTER
        return hash((subset, _shown(value)))

    def scores(self, path: Path) -> Scores:
        made = {name: np.array(column, dtype=np.int64) for name, column in self.columns.items()}
        flags = made.pop("flags").astype(np.uint8)
        sums = np.array(self.sums, dtype=np.float64)
        means = np.where(made["scored"] > 0, sums / np.maximum(made["scored"], 1), np.nan)
        return Scores(
            path=path,
            score=means,
            squares=np.array(self.squares, dtype=np.float64),
            flags=flags,
            clustered=self.clustered and len(means) > 0,
            subsets=tuple(self.subsets),
            unreadable=self.unreadable,
            first_unreadable=self.first_unreadable,
            **made,
        )
