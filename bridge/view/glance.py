"""A report at a glance: what the page of runs shows, taken from the JSON without the schema's checks.

Hundreds of runs are then read in a moment; whoever opens one gets it checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

SCHEMA_VERSION = "1.0"
"""As in ``report.schema``, which takes longer to load than all of this; a test compares them."""
STATUSES = ("complete", "partial", "failed")


@dataclass(frozen=True)
class GlanceRow:
    """The fields of a primary ``ResultRow`` that are shown."""

    dataset: str
    backend: str
    model: str
    metric: str
    value: float | None
    unit: str
    min_value: float | None
    max_value: float | None
    ci95: tuple[float, float] | None
    n: int
    n_errors: int
    reason: str | None


@dataclass(frozen=True)
class Glance:
    name: str
    status: str
    started_at: str
    spec_sha256: str
    revisions: dict[str, str]
    """Of the models that say one."""
    rows: tuple[GlanceRow, ...]


def glance(path: Path) -> Glance | None:
    """None where this is no report of this version; why, ``report.read`` says."""
    import orjson

    try:
        data = orjson.loads(path.read_bytes())
        return _glance(data) if data["schema_version"] == SCHEMA_VERSION else None
    except (OSError, orjson.JSONDecodeError, AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None


def _glance(data: dict[str, Any]) -> Glance:
    run = data["run"]
    if run["status"] not in STATUSES:
        raise ValueError(run["status"])
    revisions = {_text(model["name"]): _text(model.get("revision") or "") for model in data["models"]}
    rows = tuple(_row(row) for row in data["results"] if row.get("primary"))
    return Glance(
        name=_text(run["name"]),
        status=run["status"],
        started_at=_text(run["started_at"]),
        spec_sha256=_text(run["spec_sha256"]),
        revisions=revisions,
        rows=rows,
    )


def _row(row: dict[str, Any]) -> GlanceRow:
    ci95 = row.get("ci95")
    low, high = (_number(ci95[0]), _number(ci95[1])) if ci95 else (None, None)
    return GlanceRow(
        dataset=_text(row["dataset"]),
        backend=_text(row["backend"]),
        model=_text(row["model"]),
        metric=_text(row["metric"]),
        value=_number(row["value"]),
        unit=_text(row.get("unit", "fraction")),
        min_value=_number(row.get("min_value", 0.0)),
        max_value=_number(row.get("max_value", 1.0)),
        ci95=None if low is None or high is None else (low, high),
        n=int(row["n"]),
        n_errors=int(row.get("n_errors", 0)),
        reason=None if row.get("reason") is None else _text(row["reason"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, (int, float)) and isfinite(value):
        return float(value)
    raise ValueError(value)
