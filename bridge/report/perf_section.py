"""The section of a report about a performance test: every load in one table with its verdict, and the plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bridge.report.perf_chart import Chart
from bridge.report.perf_plots import of_point, over_all
from bridge.report.perf_points import PointRows, is_perf, points
from bridge.report.schema import Report
from bridge.report.sections import Section

DATA = "perf.json"
COLUMNS = (
    ("req/s", "req_s"),
    ("tok/s", "output_tok_s"),
    ("ttft p50", "ttft.p50"),
    ("ttft p99", "ttft.p99"),
    ("planned p50", "ttft_planned.p50"),
    ("planned p99", "ttft_planned.p99"),
    ("gap p50", "gap.p50"),
    ("gap p99", "gap.p99"),
    ("tpot", "tpot.mean"),
    ("e2e p50", "e2e.p50"),
    ("e2e p99", "e2e.p99"),
    ("in flight", "in_flight.mean"),
    ("goodput", "goodput"),
    ("failed", "error_share"),
    ("read late p99", "client.late.p99"),
    ("sent late p99", "client.send_late.p99"),
)


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    point: str
    cells: tuple[tuple[str, str], ...]
    """Text, and why there is none or how sure it is."""
    verdict: str
    reason: str


@dataclass(frozen=True)
class PointCharts:
    point: str
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class PerfContent:
    titles: tuple[str, ...]
    lines: tuple[Line, ...]
    charts: tuple[Chart, ...]
    by_point: tuple[PointCharts, ...]
    notes: tuple[str, ...]


def content(report: Report, root: Path) -> PerfContent:
    found = points(report.results)
    shown = [(title, metric) for title, metric in COLUMNS if any(metric in point.rows for point in found)]
    data = _data(root)
    return PerfContent(
        titles=tuple(title for title, _ in shown),
        lines=tuple(_line(point, [metric for _, metric in shown]) for point in found),
        charts=tuple(over_all(data)),
        by_point=tuple(PointCharts(one["id"], tuple(of_point(one))) for one in data.get("points") or ()),
        notes=tuple(_notes(data)),
    )


def _line(point: PointRows, metrics: Sequence[str]) -> Line:
    cells = tuple((point.text(metric), _about(point, metric)) for metric in metrics)
    return Line(point.point, cells, point.verdict, point.reason)


def _about(point: PointRows, metric: str) -> str:
    row = point.rows.get(metric)
    if row is None:
        return ""
    if row.value is None:
        return row.reason or ""
    if row.ci95 is None:
        return ""
    factor = {"seconds": 1e3, "fraction": 100.0}.get(row.unit, 1.0)
    return f"95 %: {factor * row.ci95[0]:.4g} to {factor * row.ci95[1]:.4g}"


def _notes(data: dict[str, Any]) -> list[str]:
    notes = [f"Search: {data['search']['said']}."] if data.get("search") else []
    words = {"closed": "users at a time", "open": "requests a second"}
    notes += [
        f"Knee: {load:g} {words[kind]}; beyond it more load brings little more throughput."
        for kind, load in (data.get("knee") or {}).items()
    ]
    return notes


def _data(root: Path) -> dict[str, Any]:
    """What the plots show; without the file there are none."""
    try:
        found = orjson.loads((root / DATA).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


SECTION = Section("perf", "Performance", "_perf.html", is_perf, content)
