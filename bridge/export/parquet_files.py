"""``results.parquet`` and ``samples.parquet``, for DuckDB, pandas and polars; written in batches by pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bridge.export.source import Source, text_of
from bridge.report.prompt_text import plain_text

META: dict[str, str] = {}
BATCH = 5_000
TEXT, NUMBER, INTEGER, TRUTH = "string", "double", "int64", "bool"
RESULTS = {
    **dict.fromkeys(("model", "backend", "backend_version", "dataset", "subset", "category", "split", "metric"), TEXT),
    "value": NUMBER,
    "unit": TEXT,
    "min_value": NUMBER,
    "max_value": NUMBER,
    "higher_is_better": TRUTH,
    "primary": TRUTH,
    "n": INTEGER,
    "n_errors": INTEGER,
    "stderr": NUMBER,
    "ci95_low": NUMBER,
    "ci95_high": NUMBER,
    "num_fewshot": INTEGER,
    "status": TEXT,
    "reason": TEXT,
    "settings": TEXT,
}
SAMPLES = {
    **dict.fromkeys(("model", "backend", "dataset", "subset", "sample_id"), TEXT),
    "repeat": INTEGER,
    "metric": TEXT,
    "score": NUMBER,
    "scores": TEXT,
    "error": TEXT,
    "target": TEXT,
    **dict.fromkeys(("extracted", "response", "prompt", "prompt_sha256"), TEXT),
    "prompt_tokens": INTEGER,
    "completion_tokens": INTEGER,
    "latency_s": NUMBER,
    "finish_reason": TEXT,
    "metadata": TEXT,
}
"""Values of any shape are JSON."""
Line = Mapping[str, Any]


def export(source: Source, folder: Path) -> list[Path]:
    return [
        _write(folder / "results.parquet", RESULTS, _results(source)),
        _write(folder / "samples.parquet", SAMPLES, _samples(source)),
    ]


def _write(path: Path, kinds: Mapping[str, str], lines: Iterator[Line]) -> Path:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    schema = pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in kinds.items()])
    aside = path.with_name(f".{path.name}.tmp")
    with ParquetWriter(aside, schema, compression="zstd") as writer:
        while batch := list(islice(lines, BATCH)):
            columns = [_column([line.get(name) for line in batch], kind) for name, kind in kinds.items()]
            arrays = [pyarrow.array(values, schema.field(at).type) for at, values in enumerate(columns)]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
    return aside.replace(path)


def _column(values: Sequence[Any], kind: str) -> list[Any]:
    if kind != TEXT:
        return list(values)
    return [None if value is None or value in ({}, []) else text_of(value) for value in values]


def _results(source: Source) -> Iterator[Line]:
    for row in source.report.results:
        low, high = row.ci95 or (None, None)
        yield {**row.model_dump(), "ci95_low": low, "ci95_high": high}


def _samples(source: Source) -> Iterator[Line]:
    for column in source.columns:
        metric = column.primary.metric
        for record in source.records(column):
            yield {
                **record.model_dump(exclude={"input", "usage"}),
                "backend": column.primary.backend,
                "metric": metric,
                "score": record.scores.get(metric),
                "prompt": plain_text(record.input),
                **(record.usage or {}),
            }
