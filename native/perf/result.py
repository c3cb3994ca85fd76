"""Load points → rows of the report, its errors, and what its plots show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bridge.native.perf.job import PerfJob, file_name
from bridge.native.perf.search import knee, pareto
from bridge.perf_spec import STATISTICS, TIMED

Summary = dict[str, Any]
DATASET = "perf"
LATENCIES = (*TIMED, "itl")
RATES = ("req_s", "output_tok_s", "total_tok_s", "req_s.wall", "output_tok_s.wall", "goodput_per_s")
SHARES = ("goodput", "error_share", "client.coalesced", "client.cpu")
PLAIN_COUNTS = ("sent", "good", "prompt_tokens", "completion_tokens")
SECONDS = ("client.late.p99", "client.lag.p99", "client.send_late.p99")
HIGHER_IS_BETTER = (*RATES, "goodput")


def result(
    job: PerfJob, points: Sequence[Summary], search: dict[str, Any] | None, errors: list[dict[str, Any]]
) -> Summary:
    """All that the report needs, as plain values."""
    main = headline_point(points)
    rows = [row for point in points for row in _rows(job, point, point["id"])]
    rows += list(_overall(job, main, search))
    return {
        "rows": rows,
        "errors": [*errors, *_point_errors(points), *_notes(points, search)],
        "points": [{name: value for name, value in point.items() if name != "settings"} for point in points],
        "search": search,
        "knee": knees(points),
        "pareto": _pareto(points),
        "samples": {point["id"]: f"perf-{file_name(point['id'])}.jsonl" for point in points},
    }


def headline_point(points: Sequence[Summary]) -> Summary | None:
    """The largest clean load; else the largest that is not saturated, else the last."""
    for wanted in (("clean",), ("clean", "strained"), ("clean", "strained", "saturated")):
        fitting = [one for one in points if one["verdict"] in wanted and one["state"] == "done"]
        fitting = [one for one in fitting if one["values"]["output_tok_s"]["value"] is not None] or fitting
        if fitting:
            return max(fitting, key=lambda one: (one["kind"] == fitting[-1]["kind"], one["load"]))
    return points[-1] if points else None


def _overall(job: PerfJob, main: Summary | None, search: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Rows of the whole: the search's answer, or the values of one load point; the first is the primary one."""
    if search is not None:
        yield _search_row(job, search)
    if main is None:
        if search is None:
            yield {
                **_row(job, "output_tok_s", {"value": None, "reason": "no load point was measured"}),
                "primary": True,
            }
        return
    rows = list(_rows(job, main, None))
    has_tokens = main["values"]["output_tok_s"]["value"] is not None or main["values"]["req_s"]["value"] is None
    primary = "output_tok_s" if has_tokens else "req_s"
    for row in rows:
        yield {**row, "primary": search is None and row["metric"] == primary}


def _search_row(job: PerfJob, search: dict[str, Any]) -> dict[str, Any]:
    unit = "count" if search["over"] == "closed" else "per_second"
    row = _row(job, f"max_{search['over']}", {"value": search["value"], "reason": search["said"]}, unit=unit)
    tried = len(search["path"])
    settings = {"search": search["said"], "confidence": search["confidence"], "loads_tried": tried}
    return {**row, "primary": True, "higher_is_better": True, "n": tried, "settings": settings}


def _rows(job: PerfJob, point: Summary, subset: str | None) -> Iterator[dict[str, Any]]:
    settings = {
        **point["settings"],
        "client": point["verdict"],
        "workers": point["workers"],
        "window_s": round(point["window"][1] - point["window"][0], 4) if point["window"] else None,
        **({"server": "falls behind"} if point["server_saturated"] else {}),
        **{name: count for name, count in point["counts"].items() if count and name not in PLAIN_COUNTS},
    }
    failed = point["counts"]["sent"] - point["counts"]["good"]
    status, reason = _status(point)
    for metric, value in point["values"].items():
        name, _, statistic = metric.partition(".")
        if name in LATENCIES and statistic not in STATISTICS:
            continue
        missing = value["value"] is None
        yield {
            **_row(job, metric, value, unit=_unit(metric)),
            "subset": subset,
            "n": value["n"] or point["counts"]["good"],
            "n_errors": failed,
            "settings": {key: one for key, one in settings.items() if one is not None},
            "status": "failed" if missing else status,
            "reason": value["reason"] if missing else reason,
        }


def _status(point: Summary) -> tuple[str, str | None]:
    """Failed requests leave the values of the good ones standing; their share is a row of its own."""
    if point["verdict"] == "saturated":
        return "partial", f"client saturated: {point['verdict_reason']}"
    if point["stopped"]:
        return "partial", f"ended early: {point['stopped']}"
    if failed := point["counts"]["sent"] - point["counts"]["good"]:
        return "partial", f"{failed} of {point['counts']['sent']} requests failed: {_kinds(point)}"
    return "complete", None


def _kinds(point: Summary) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in point["errors"].items())


def _row(job: PerfJob, metric: str, value: dict[str, Any], *, unit: str = "per_second") -> dict[str, Any]:
    missing = value["value"] is None
    return {
        "model": job.model,
        "backend": "native",
        "backend_version": job.version,
        "dataset": DATASET,
        "metric": metric,
        "value": value["value"],
        "unit": unit,
        "min_value": 0.0 if unit != "seconds" else None,
        "max_value": 1.0 if unit == "fraction" and metric != "client.cpu" else None,
        "higher_is_better": metric in HIGHER_IS_BETTER,
        "n": value.get("n", 0),
        "ci95": value.get("ci95"),
        "status": "failed" if missing else "complete",
        "reason": value["reason"] if missing else None,
    }


def _unit(metric: str) -> str:
    if metric in RATES:
        return "per_second"
    if metric in SHARES:
        return "fraction"
    return "count" if metric == "in_flight.mean" else "seconds"


# Errors -----------------------------------------------------------------------------------------------------------


def _point_errors(points: Sequence[Summary]) -> Iterator[dict[str, Any]]:
    for point in points:
        for kind, count in point["errors"].items():
            yield _error("unanswered", f"{point['id']}: {kind}: {point['messages'][kind]}", count=count)
        if point["verdict"] == "saturated":
            hint = "its values are the client's limit, not the server's: raise workers, or use a machine of its own"
            yield _error("unanswered", f"{point['id']}: client saturated: {point['verdict_reason']}", hint)
        if point["stopped"]:
            yield _error("unanswered", f"{point['id']}: ended early: {point['stopped']}", "run the same command again")


def _notes(points: Sequence[Summary], search: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    for point in points:
        counts = point["counts"]
        if point["verdict"] == "strained":
            yield _error("warning", f"{point['id']}: client strained: {point['verdict_reason']}")
        if point["server_saturated"]:
            yield _error("warning", f"{point['id']}: the server falls behind: its queue grew until the end")
        if counts["unsent"]:
            yield _error(
                "warning", f"{point['id']}: {counts['unsent']} requests were not sent: max_in_flight was reached"
            )
        if counts["clock_steps"]:
            yield _error("warning", f"{point['id']}: the wall clock was set {counts['clock_steps']} times meanwhile")
        if lost := counts.get("resent", 0) + counts.get("disordered", 0):
            message = f"{point['id']}: {lost} packets were lost or came out of order on the way"
            yield _error(
                "warning", message, "waiting for them is in the latencies, and is the network's, not the server's"
            )
        if point["clock"] == "user":
            yield _error("warning", f"{point['id']}: no times from the kernel: user-space time, which is later")
        if counts["fresh_tries"]:
            message = f"{point['id']}: {counts['fresh_tries']} requests went to connections that the server had closed"
            yield _error("warning", message, "each was sent once more, on a new one; its time begins there")
        if counts["retry_after"]:
            yield _error("warning", f"{point['id']}: the server asked {counts['retry_after']} times to be left alone")
    if search is not None and search["value"] is None:
        yield _error("unanswered", f"search: {search['said']}")


def _error(kind: str, message: str, hint: str = "", *, count: int = 1) -> dict[str, Any]:
    return {"kind": kind, "message": message, "hint": hint, "count": count, "backend": "native", "dataset": DATASET}


# Over all points --------------------------------------------------------------------------------------------------


def knees(points: Sequence[Summary]) -> dict[str, float]:
    """By kind of load, where there is one; saturated clients show none of the server's."""
    found = {}
    for kind in ("closed", "open"):
        rate = "output_tok_s" if all(_has(one, "output_tok_s") for one in points) else "req_s"
        usable = [one for one in points if one["kind"] == kind and one["verdict"] != "saturated" and _has(one, rate)]
        curve = sorted((one["load"], one["values"][rate]["value"]) for one in usable)
        if (at := knee(curve)) is not None:
            found[kind] = at
    return found


def _has(point: Summary, metric: str) -> bool:
    return point["values"][metric]["value"] is not None


def _pareto(points: Sequence[Summary]) -> list[str]:
    usable = [one for one in points if _has(one, "output_tok_s") and _has(one, "tpot.mean")]
    speeds = [
        (one["values"]["output_tok_s"]["value"], 1 / one["values"]["tpot.mean"]["value"])
        for one in usable
        if one["values"]["tpot.mean"]["value"] > 0
    ]
    return [usable[at]["id"] for at in pareto(speeds)] if len(speeds) == len(usable) else []
