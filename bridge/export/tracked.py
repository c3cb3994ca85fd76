"""What experiment trackers are told of a run: settings and numbers of one model, under names that all of them take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bridge.export.source import Source
from bridge.report.overview import is_overall
from bridge.report.schema import ModelInfo, ResultRow

_ODD = re.compile(r"[^A-Za-z0-9_./ -]")


@dataclass(frozen=True)
class Tracked:
    """One model."""

    info: ModelInfo
    rows: tuple[ResultRow, ...]
    config: dict[str, Any]

    def numbers(self) -> Iterator[tuple[str, float]]:
        """``gsm8k/accuracy``; ``gsm8k.native/accuracy`` where there are several backends."""
        several = len({row.backend for row in self.rows}) > 1
        for row in filter(is_overall, self.rows):
            dataset = f"{row.dataset}.{row.backend}" if several else row.dataset
            name = _ODD.sub("_", f"{dataset}/{row.metric}")
            if row.value is not None:
                yield name, row.value
            if row.stderr is not None:
                yield f"{name}_stderr", row.stderr
            if row.primary:
                yield f"{_ODD.sub('_', dataset)}/n", row.n
                yield f"{_ODD.sub('_', dataset)}/n_errors", row.n_errors


def tracked(source: Source) -> Iterator[Tracked]:
    run, usage = source.report.run, source.report.usage
    for info in dict.fromkeys(column.model for column in source.columns):
        rows = tuple(row for row in source.report.results if row.model == info.name)
        config = {
            "run_id": run.id,
            "status": run.status.value,
            "bridge_version": run.bridge_version,
            "model": info.name,
            "source": info.source,
            "engine": info.engine,
            "adapters": list(info.adapters),
            "spec_sha256": run.spec_sha256,
            "started_at": run.started_at,
            "requests": usage.requests,
            **{f"{row.dataset}.{row.backend}": _about(row) for row in rows if row.primary},
        }
        yield Tracked(info, rows, config)


def _about(row: ResultRow) -> dict[str, Any]:
    return {
        "metric": row.metric,
        "num_fewshot": row.num_fewshot,
        "backend_version": row.backend_version,
        **row.settings,
    }
