"""VLMEvalKit's own numbers: what ``evaluate`` returned, as records or as a mapping."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from bridge.adapters.vlmevalkit.families import FromKit

_OVERALL = "Overall"
_NAMES = ("split", "Subject", "Task&Skill", "Category", "subject", "category", "Task")
"""Columns that say what a record is about."""
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")
_TELLING = ("overall", "average", "avg", "final", "acc", "score")
_COUNTS = frozenset({"tot", "total", "count", "num", "n", "hit", "prefetch", "prefetch_rate"})


def value_of(returned: Sequence[Any], metric: FromKit, subset: str | None = None) -> float | None:
    """A metric over everything, or of one subset: the mean over repeats; None where it is not there."""
    values = [found for one in returned if (found := _one(one, metric, subset)) is not None]
    return fmean(values) / metric.scale if values and len(values) == len(returned) else None


def subsets_of(returned: Sequence[Any], column: str) -> list[str]:
    """The subsets that the records name in a column, but for the one that stands for everything."""
    named = [str(record[column]) for record in _records(returned[0]) if column in record] if returned else []
    return [name for name in dict.fromkeys(named) if name != _OVERALL]


def overall(returned: Any, key: str, split: str | None = None) -> float | None:
    """The overall value of one repeat: of the record about everything, or about this split."""
    records = _records(returned)
    about = [record for record in records if _about(record) in (split or _OVERALL, _OVERALL, "ALL")]
    first = [record for record in about if _about(record) == split] or about or records[:1]
    found = first[0].get(key) if first else None
    return float(found) if isinstance(found, int | float) else None


def numbers(returned: Any) -> Iterator[tuple[str, float]]:
    """Every number with the path to it, ``dev | Overall``; the texts of a record say what it is about."""
    if isinstance(returned, list):
        for at, one in enumerate(returned):
            texts, rest = _parted(one) if isinstance(one, Mapping) else ([str(at)], one)
            yield from ((_joined(*texts, path), number) for path, number in numbers(rest))
    elif isinstance(returned, Mapping):
        for key, value in returned.items():
            yield from ((_joined(str(key), path), number) for path, number in numbers(value))
    elif not isinstance(returned, bool) and _NUMBER.fullmatch(str(returned)):
        yield "", float(returned)


def _parted(record: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    texts = {key: value for key, value in record.items() if isinstance(value, str) and not _NUMBER.fullmatch(value)}
    return [text for text in texts.values() if text != "none"], {k: v for k, v in record.items() if k not in texts}


def quoted(paths: Sequence[str]) -> str:
    """The number that is most likely the overall one: ``Overall`` before ``acc`` before ``score``, and no count."""
    return min(paths, key=_how_unlikely)


def _how_unlikely(path: str) -> tuple[bool, bool, int, int, int, int]:
    leaf = path.rsplit("|", 1)[-1].strip().lower()
    return leaf in _COUNTS, "(main)" not in leaf, _rank(path.lower()), _rank(leaf), path.count("|"), len(path)


def _rank(text: str) -> int:
    return next((at for at, word in enumerate(_TELLING) if word in text), len(_TELLING))


def _one(returned: Any, metric: FromKit, subset: str | None) -> float | None:
    for record in _records(returned):
        if metric.by and str(record.get(metric.by)) != (subset or _OVERALL):
            continue
        parts = [record.get(key) for key in metric.key.split("+")]
        if all(isinstance(part, int | float) for part in parts):
            return float(sum(part for part in parts if isinstance(part, int | float)))
    return None


def _records(returned: Any) -> list[Mapping[str, Any]]:
    found = returned if isinstance(returned, list) else [returned]
    return [record for record in found if isinstance(record, Mapping)]


def _about(record: Mapping[str, Any]) -> str:
    return next((str(record[name]) for name in _NAMES if name in record), _OVERALL)


def _joined(*parts: str) -> str:
    return " | ".join(part for part in parts if part)
