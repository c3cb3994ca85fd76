"""The samples that one HTML file carries: which ones, how much of each, and what is left out, said in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from bridge.report.schema import Report, ResultRow, SampleRecord
from bridge.report.text import plural

MAX_SAMPLES = 20_000
MAX_BYTES = 24 * 2**20
MAX_TEXT = 8_000
"""Characters of one text: the first three quarters and the last quarter of these are kept."""

State = Literal["right", "wrong", "between", "scored", "error"]


@dataclass(frozen=True)
class Column:
    """One model × backend × dataset, and its file of samples."""

    row: ResultRow
    """The primary one."""
    path: Path | None
    n_lines: int
    n_kept: int
    note: str
    """What is not here, and why; empty where all is."""


@dataclass(frozen=True)
class Embedded:
    columns: tuple[Column, ...]
    samples: tuple[dict[str, Any], ...]

    @property
    def notes(self) -> list[str]:
        return [f"{c.row.dataset} ({c.row.backend}): {c.note}" for c in self.columns if c.note]


def embedded(
    report: Report, root: Path, *, max_samples: int = MAX_SAMPLES, max_bytes: int = MAX_BYTES, max_text: int = MAX_TEXT
) -> Embedded:
    """The samples of a report in ``root``, evenly spread over each file where there are more than the limits allow."""
    rows = [row for row in report.results if row.primary]
    files = [_file(row, root) for row in rows]
    counts = [_lines(path) for path in files]
    sizes = [path.stat().st_size if path else 0 for path in files]
    quotas = shares(counts, max_samples)
    byte_quotas = shares(sizes, max_bytes)
    columns: list[Column] = []
    samples: list[dict[str, Any]] = []
    for row, path, n, size, quota, room in zip(rows, files, counts, sizes, quotas, byte_quotas, strict=True):
        keep = min(quota, n * room // size) if size else 0
        records, unreadable = _records(path, n, keep)
        samples += [_compact(record, row, len(columns), max_text) for record in records]
        columns.append(Column(row, path, n, keep, _note(row, path, n, keep, unreadable)))
    return Embedded(tuple(columns), tuple(samples))


def shares(wanted: Sequence[int], total: int) -> list[int]:
    """``total`` shared out so that nobody gets more than wanted and what one leaves the others may have."""
    given = [0] * len(wanted)
    left = total
    for turn, at in enumerate(sorted(range(len(wanted)), key=lambda index: wanted[index])):
        given[at] = min(wanted[at], left // (len(wanted) - turn))
        left -= given[at]
    return given


def state_of(record: SampleRecord, row: ResultRow) -> State:
    """How the sample did by the primary metric; right and wrong are said of fractions only."""
    score = score_of(record, row)
    if record.error is not None or score is None:
        return "error"
    if row.unit != "fraction":
        return "scored"
    if score in (0.0, 1.0):
        return "right" if (score == 1.0) == row.higher_is_better else "wrong"
    return "between"


def score_of(record: SampleRecord, row: ResultRow) -> float | None:
    """By the primary metric, or by the only one that there is."""
    if row.metric in record.scores or len(record.scores) != 1:
        return record.scores.get(row.metric)
    return next(iter(record.scores.values()))


def _file(row: ResultRow, root: Path) -> Path | None:
    """A report may come from elsewhere: only what is in its own folder is read."""
    if row.samples is None:
        return None
    path = (root / row.samples).resolve()
    return path if path.is_file() and path.is_relative_to(root.resolve()) else None


def _lines(path: Path | None) -> int:
    if path is None:
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _records(path: Path | None, n: int, keep: int) -> tuple[list[SampleRecord], int]:
    """``keep`` of the ``n`` lines, evenly spread, and how many of these cannot be read."""
    records: list[SampleRecord] = []
    unreadable = 0
    for line in _spread(path, n, keep):
        try:
            records.append(SampleRecord.model_validate_json(line))
        except ValidationError:
            unreadable += 1
    return records, unreadable


def _spread(path: Path | None, n: int, keep: int) -> Iterator[bytes]:
    if path is None or not keep:
        return
    with path.open("rb") as file:
        for at, line in enumerate(file):
            if (at + 1) * keep // n > at * keep // n:
                yield line


def _note(row: ResultRow, path: Path | None, n: int, keep: int, unreadable: int) -> str:
    parts = []
    if row.samples is None:
        parts.append("no per-sample records")
    elif path is None:
        parts.append(f"{row.samples} is not there")
    if keep < n:
        parts.append(f"{keep:,} of {plural(n, 'sample')} are here, evenly spread; all are in {row.samples}")
    if unreadable:
        parts.append(f"{plural(unreadable, 'line')} of {row.samples} cannot be read")
    return "; ".join(parts)


def _compact(record: SampleRecord, row: ResultRow, column: int, max_text: int) -> dict[str, Any]:
    """One sample as the page's script wants it: short keys, no empty fields, long texts cut."""
    fields: dict[str, Any] = {
        "c": column,
        "st": state_of(record, row),
        "sc": score_of(record, row),
        "sub": record.subset,
        "id": record.sample_id,
        "rep": record.repeat or None,
        "in": record.input,
        "t": record.target,
        "r": record.response,
        "x": record.extracted,
        "e": record.error,
        "all": record.scores if len(record.scores) > 1 else None,
        "u": record.usage,
        "l": record.latency_s,
        "f": record.finish_reason,
        "h": record.prompt_sha256,
        "m": record.metadata or None,
    }
    return {name: _cut(value, max_text) for name, value in fields.items() if value is not None}


def _cut(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= limit else _ends(value, limit)
    if isinstance(value, dict):
        return {str(key): _cut(inner, limit) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cut(inner, limit) for inner in value]
    return value


def _ends(text: str, limit: int) -> str:
    head, tail = 3 * limit // 4, limit // 4
    return f"{text[:head]}\n[… {len(text) - head - tail:,} characters left out …]\n{text[-tail:]}"
