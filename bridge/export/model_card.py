"""The ``model-index`` of a Hugging Face model card: YAML for the front matter of the model's README.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from bridge.export.source import Column, Source
from bridge.report.schema import ResultRow
from bridge.rundir import slug, write_atomic

META = {"task": "the task's type on the hub; default: text-generation", "url": "where the results can be looked at"}
JsonObject = dict[str, Any]


def export(source: Source, folder: Path) -> list[Path]:
    by_model: dict[str, list[Column]] = {}
    for column in source.columns:
        by_model.setdefault(column.primary.model, []).append(column)
    return [_write(source, folder, model, columns) for model, columns in by_model.items()]


def _write(source: Source, folder: Path, model: str, columns: list[Column]) -> Path:
    results = [result for column in columns for result in _results(source, column)]
    index = {"model-index": [{"name": model.split("/")[-1] or "unknown", "results": results}]}
    path = folder / f"{slug(model)}.yaml"
    write_atomic(path, yaml.safe_dump(index, sort_keys=False, allow_unicode=True))
    return path


def _results(source: Source, column: Column) -> Iterator[JsonObject]:
    """One per dataset: its overall values. A value that is missing is left out, and told."""
    rows = [row for row in column.overall() if row.value is not None]
    if not rows:
        source.note(column, f"it has no value and is left out: {column.primary.reason or ''}")
        return
    row = column.primary
    result: JsonObject = {
        "task": {"type": source.meta.get("task", "text-generation")},
        "dataset": {"name": row.dataset, "type": row.dataset, **_some(split=row.split), "args": _arguments(row)},
        "metrics": [_metric(one) for one in rows],
    }
    if "url" in source.meta:  # the hub takes no source without one
        result["source"] = {"name": f"bridge {source.report.run.bridge_version}", "url": source.meta["url"]}
    yield result


def _metric(row: ResultRow) -> JsonObject:
    by = f"{row.backend} {row.backend_version}"
    details = {
        "evaluated_with": by,
        "n": row.n,
        "n_errors": row.n_errors,
        "stderr": row.stderr,
        "ci95": list(row.ci95) if row.ci95 else None,
    }
    given = {name: value for name, value in details.items() if value is not None}
    return {"type": row.metric, "name": row.metric, "value": row.value, "verified": False, "args": given}


def _arguments(row: ResultRow) -> JsonObject:
    return {"num_fewshot": row.num_fewshot or 0, **_some(limit=row.settings.get("limit"))}


def _some(**values: object) -> JsonObject:
    return {name: value for name, value in values.items() if value is not None}
