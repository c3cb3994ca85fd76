"""``results.csv``, a line per metric, and ``samples.csv``, a line per sample, for spreadsheets and data frames.

A spreadsheet takes a text that begins with ``=``, ``+``, ``-`` or ``@`` for a formula and runs it; such a text, where
it is no number, gets an apostrophe in front.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from bridge.export.source import Source, text_of
from bridge.report.prompt_text import plain_text

META: dict[str, str] = {}
RESULTS = (
    *("model", "backend", "backend_version", "dataset", "subset", "category", "split", "metric", "value", "unit"),
    *(
        "higher_is_better",
        "primary",
        "n",
        "n_errors",
        "stderr",
        "ci95_low",
        "ci95_high",
        "num_fewshot",
        "status",
        "reason",
    ),
    "settings",
)
SAMPLES = (
    *("model", "backend", "dataset", "subset", "sample_id", "repeat", "metric", "score", "scores", "error", "target"),
    *("extracted", "response", "prompt", "prompt_tokens", "completion_tokens", "latency_s", "finish_reason"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Cells = Sequence[object]


def export(source: Source, folder: Path) -> list[Path]:
    return [
        _write(folder / "results.csv", RESULTS, _results(source)),
        _write(folder / "samples.csv", SAMPLES, _samples(source)),
    ]


def _write(path: Path, header: Sequence[str], lines: Iterator[Cells]) -> Path:
    aside = path.with_name(f".{path.name}.tmp")
    with aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([_cell(value) for value in line] for line in lines)
    return aside.replace(path)


def _results(source: Source) -> Iterator[Cells]:
    for row in source.report.results:
        low, high = row.ci95 or (None, None)
        fields = {**row.model_dump(), "ci95_low": low, "ci95_high": high, "settings": row.settings or None}
        yield [fields[name] for name in RESULTS]


def _samples(source: Source) -> Iterator[Cells]:
    for column in source.columns:
        metric = column.primary.metric
        for record in source.records(column):
            usage = record.usage or {}
            yield (
                *(record.model, column.primary.backend, record.dataset, record.subset, record.sample_id, record.repeat),
                *(metric, record.scores.get(metric), record.scores or None, record.error, record.target),
                *(record.extracted, record.response, plain_text(record.input)),
                *(usage.get("prompt_tokens"), usage.get("completion_tokens"), record.latency_s, record.finish_reason),
            )


def _cell(value: object) -> object:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    text = text_of(value).replace("\0", "")
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
