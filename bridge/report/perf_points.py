"""The rows of a performance test by load point, for the terminal, the page and the comparison."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.report.schema import Report, ResultRow

DATASET = "perf"
TRAFFIC = "traffic"
"""``settings["source"]`` of rows that an evaluation's own requests have left: nobody set their load."""


@dataclass(frozen=True)
class PointRows:
    """One load point of one model."""

    model: str
    point: str
    rows: dict[str, ResultRow]
    """By metric."""

    @property
    def any(self) -> ResultRow:
        return next(iter(self.rows.values()))

    @property
    def verdict(self) -> str:
        """``clean``, ``strained`` or ``saturated``: the client's."""
        return str(self.any.settings.get("client", ""))

    @property
    def reason(self) -> str:
        """Why the point is not whole."""
        return next((row.reason for row in self.rows.values() if row.value is not None and row.reason), "")

    def value(self, metric: str) -> float | None:
        row = self.rows.get(metric)
        return row.value if row is not None else None

    def text(self, metric: str) -> str:
        """For a table: latencies in milliseconds, three digits; a dash where there is no value."""
        row = self.rows.get(metric)
        if row is None or row.value is None:
            return "–"
        if row.unit == "seconds":
            return milliseconds(row.value)
        if row.unit == "fraction":
            return f"{100 * row.value:.1f} %"
        return f"{row.value:,.1f}" if row.value < 1000 else f"{row.value:,.0f}"


def is_perf(report: Report) -> bool:
    return any(row.dataset == DATASET and row.settings.get("source") != TRAFFIC for row in report.results)


def points(rows: Iterable[ResultRow]) -> list[PointRows]:
    found: dict[tuple[str, str], dict[str, ResultRow]] = {}
    for row in rows:
        if row.dataset == DATASET and row.subset is not None and row.settings.get("source") != TRAFFIC:
            found.setdefault((row.model, row.subset), {})[row.metric] = row
    return [PointRows(model, point, metrics) for (model, point), metrics in found.items()]


def milliseconds(seconds: float) -> str:
    """``0.51``, ``51.2``, ``5,120``."""
    value = 1e3 * seconds
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
