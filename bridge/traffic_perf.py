"""The speed of an evaluation's own requests, as rows of its report: what the client in between has seen of them.

Nobody has set this load, answers came whole and not as streams, and the times are user-space times: so there is no time
to a first token, and the rows are marked (``settings.source: traffic``). ``bridge perf`` measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from pathlib import Path

from bridge.backend import BenchmarkResult
from bridge.endpoint.totals import Asked, asked
from bridge.report.perf_points import DATASET, TRAFFIC
from bridge.report.schema import ErrorKind, ReportError, ResultRow, Status

BACKEND = "traffic"
BEYOND = 5
"""A percentile needs so many samples beyond it, as in ``bridge perf``."""
Z = 1.959964


def traffic_results(path: Path, jobs: dict[str, list[str]], version: str) -> list[BenchmarkResult]:
    """A result for each model; ``jobs`` are the names under which its requests were recorded."""
    return [_result(model, asked(path, names), version) for model, names in jobs.items()]


def _result(model: str, requests: Sequence[Asked], version: str) -> BenchmarkResult:
    good = [one for one in requests if one.error is None]
    if not good:
        message = "no request went to the server, so its speed was not measured"
        error = ReportError(kind=ErrorKind.WARNING, message=message, model=model, dataset=DATASET)
        return BenchmarkResult(DATASET, (), errors=(error,))
    rows = [*_rates(good), *_latencies([one.latency_s for one in good])]
    failed = len(requests) - len(good)
    rows += [
        ("error_share", "fraction", failed / len(requests), None),
        ("in_flight.mean", "count", _in_flight(good), None),
    ]
    return BenchmarkResult(
        DATASET,
        tuple(
            _row(model, metric, unit, value, reason, len(good), version, primary=not at)
            for at, (metric, unit, value, reason) in enumerate(rows)
        ),
    )


Found = tuple[str, str, float | None, str | None]
"""Metric, unit, value, and why there is none."""


def _rates(good: Sequence[Asked]) -> list[Found]:
    busy = busy_s(good)
    output, prompt = (sum(tokens or 0 for tokens in column) for column in zip(*(one[2:4] for one in good), strict=True))
    known = all(one.completion_tokens is not None for one in good)
    reason = None if known else "the server counts no tokens"
    return [
        ("req_s", "per_second", len(good) / busy, None),
        ("output_tok_s", "per_second", output / busy if known else None, reason),
        ("total_tok_s", "per_second", (output + prompt) / busy if known else None, reason),
    ]


def _latencies(values: Sequence[float]) -> list[Found]:
    ordered, n = sorted(values), len(values)
    found: list[Found] = [("e2e.mean", "seconds", sum(ordered) / n, None)]
    for percent in (50, 90, 95, 99):
        needed = ceil(BEYOND / (1 - percent / 100) - 1e-9)
        if n < needed:
            found.append((f"e2e.p{percent}", "seconds", None, f"{n} samples; this percentile needs {needed}"))
        else:
            found.append((f"e2e.p{percent}", "seconds", _quantile(ordered, percent / 100), None))
    return found


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = (len(ordered) - 1) * share
    low = int(place)
    return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


def busy_s(requests: Sequence[Asked]) -> float:
    """Time during which at least one of them was under way: pauses between invocations do not count."""
    total, until = 0.0, float("-inf")
    for one in sorted(requests, key=lambda one: one.started_at):
        end = one.started_at + one.latency_s
        total += max(0.0, end - max(until, one.started_at))
        until = max(until, end)
    return max(total, 1e-9)


def _in_flight(requests: Sequence[Asked]) -> float:
    return sum(one.latency_s for one in requests) / busy_s(requests)


def _row(
    model: str, metric: str, unit: str, value: float | None, reason: str | None, n: int, version: str, *, primary: bool
) -> ResultRow:
    share = unit == "fraction" and value is not None
    half = Z * sqrt(max(0.0, (value or 0.0) * (1 - (value or 0.0))) / n) if share else 0.0
    return ResultRow.model_validate(
        {
            "model": model,
            "backend": BACKEND,
            "backend_version": version,
            "dataset": DATASET,
            "metric": metric,
            "value": value,
            "unit": unit,
            "max_value": 1.0 if unit == "fraction" else None,
            "higher_is_better": unit == "per_second",
            "primary": primary,
            "n": n,
            "stderr": half / Z if share else None,
            "settings": {"source": TRAFFIC, "load": "the evaluation's own requests", "clock": "user"},
            "status": Status.COMPLETE if value is not None else Status.FAILED,
            "reason": reason,
        }
    )
