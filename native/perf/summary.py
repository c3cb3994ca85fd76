"""One load point summed up: its values, the verdict on the client, and what the report's plots show of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from bridge.native.perf import metrics
from bridge.native.perf.columns import Columns, Floats
from bridge.native.perf.metrics import Value, Window
from bridge.native.perf.schedule import Point
from bridge.native.perf.watch import Seen, coalesced, verdict
from bridge.perf_spec import PerfBlock

GRID = 200
"""Points of a distribution's curve."""
WATERFALL = 200
SCATTER = 500
Noticed = Sequence[dict[str, Any]]


def summarise(point: Point, columns: Columns, noticed: Noticed, perf: PerfBlock, lengths_source: str) -> dict[str, Any]:
    target = int(point.value) if point.kind == "closed" else None
    within = metrics.window(columns, target)
    values = _values(point, columns, perf, within)
    seen = _seen(point, columns, noticed, values)
    word, reason = verdict(seen)
    values |= _client_values(seen)
    counts = _counts(columns, noticed)
    clock = "user" if _all(noticed, "unstamped") > 0.5 * _all(noticed, "events") else "kernel"
    return {
        "id": point.id,
        "kind": point.kind,
        "load": point.value,
        "values": {name: asdict(value) for name, value in values.items()},
        "verdict": word,
        "verdict_reason": reason,
        "clock": clock,
        "server_saturated": word != "saturated" and metrics.grows(columns, within),
        "window": None if within is None else [within.start, within.end],
        "counts": counts,
        "errors": columns.errors,
        "messages": columns.messages,
        "settings": {**_settings(point, columns, perf, lengths_source, clock), **_network(noticed)},
        "plots": _plots(columns, noticed),
    }


def _values(point: Point, columns: Columns, perf: PerfBlock, within: Window | None) -> dict[str, Value]:
    is_open = point.kind != "closed"
    named: dict[str, Floats] = {"ttft": columns.ttft}
    if is_open:
        named["ttft_planned"] = columns.first - columns.planned
    named |= {"ttfo": columns.first_output - columns.begun, "tpot": columns.tpot, "e2e": columns.e2e}
    if is_open:
        named["e2e_planned"] = columns.last - columns.planned
    values: dict[str, Value] = {}
    for name, column in named.items():
        values |= {f"{name}.{statistic}": value for statistic, value in metrics.latencies(column).items()}
    gaps = metrics.gaps(columns.gaps, columns.gap_owner, perf.seed)
    values |= {f"gap.{statistic}": value for statistic, value in gaps.items()}
    values |= {f"itl.{statistic}": value for statistic, value in _itl(columns, gaps).items()}
    values |= metrics.rates(columns, within)
    values |= metrics.goodput(columns, perf.slo.limits(), within, planned=is_open)
    values["in_flight.mean"] = metrics.in_flight(columns, within)
    n = len(columns)
    failed = n - int(columns.good.sum())
    values["error_share"] = (
        Value(failed / n, metrics.wilson(failed, n), n) if n else Value(None, reason="nothing was sent")
    )
    return values


def _itl(columns: Columns, gaps: dict[str, Value]) -> dict[str, Value]:
    """A gap is the time between two tokens only where every event was seen to carry one."""
    worth = metrics.is_one_token_an_event(columns)
    if worth == 1.0:
        return gaps
    reason = "the tokens are not known" if worth is None else f"{worth:.1f} tokens an event"
    return {name: Value(None, n=value.n, reason=reason) for name, value in gaps.items()}


# The client -------------------------------------------------------------------------------------------------------


def _seen(point: Point, columns: Columns, noticed: Noticed, values: dict[str, Value]) -> Seen:
    shared: Counter[int] = Counter()
    for one in noticed:
        shared.update({int(power): n for power, n in one["shared"].items()})
    gap = values["gap.p50"].value
    planned = columns.planned[~np.isnan(columns.planned)]
    behind = (columns.begun - columns.planned - np.nan_to_num(columns.connect))[~np.isnan(columns.planned)]
    spacing = achieved = None
    if len(planned) > 1 and np.ptp(planned) > 0:
        spacing = float(np.ptp(planned)) / (len(planned) - 1)
        sent = columns.begun[~np.isnan(columns.planned)]
        achieved = float(np.ptp(planned) / max(1e-9, np.ptp(sent)))
    return Seen(
        late_p99=_p99(_pooled(noticed, "late")),
        lag_p99=_p99(_pooled(noticed, "lag")),
        send_late_p99=_p99(behind) if point.kind != "closed" else _p99(columns.refill),
        coalesced=coalesced(shared, _all(noticed, "events"), gap),
        cpu=max((one["cpu_s"] / max(1e-9, one["wall_s"]) for one in noticed), default=0.0),
        gap_p50=gap,
        spacing=spacing,
        achieved=achieved,
    )


def _client_values(seen: Seen) -> dict[str, Value]:
    reason = "the kernel gave no times: user-space time is used"
    named = {
        "client.late.p99": (seen.late_p99, reason),
        "client.lag.p99": (seen.lag_p99, "the load was too short"),
        "client.send_late.p99": (seen.send_late_p99, "nothing was sent twice"),
        "client.coalesced": (seen.coalesced, ""),
        "client.cpu": (seen.cpu, ""),
    }
    return {name: Value(value, reason="" if value is not None else why) for name, (value, why) in named.items()}


def _pooled(noticed: Noticed, name: str) -> Floats:
    return np.array([value for one in noticed for value in one[name]], dtype=np.float64)


def _p99(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.percentile(known, 99)) if len(known) else None


def _all(noticed: Noticed, name: str) -> int:
    return sum(int(one[name]) for one in noticed)


# What else is told ------------------------------------------------------------------------------------------------


def _counts(columns: Columns, noticed: Noticed) -> dict[str, int]:
    return {
        "sent": len(columns),
        "good": int(columns.good.sum()),
        "unsent": sum(one["counts"]["unsent"] for one in noticed),
        "fresh_tries": columns.fresh_tries,
        "retry_after": columns.retry_after,
        "no_done": columns.not_done,
        "prompt_tokens": int(np.nansum(columns.prompt_tokens)),
        "completion_tokens": int(np.nansum(columns.tokens)),
        "cached_tokens": columns.cached_tokens,
        "short": columns.errors.get("short", 0),
        "clock_steps": max((one["clock_steps"] for one in noticed), default=0),
        "unstamped": _all(noticed, "unstamped"),
        "resent": _all(noticed, "resent"),
        "disordered": _all(noticed, "disordered"),
    }


def _settings(point: Point, columns: Columns, perf: PerfBlock, lengths_source: str, clock: str) -> dict[str, Any]:
    known = columns.tokens[~np.isnan(columns.tokens)]
    asked = columns.prompt_tokens[~np.isnan(columns.prompt_tokens)]
    upload = columns.sent - columns.begun
    upload = upload[~np.isnan(upload)]
    found: dict[str, Any] = {
        "load": point.id,
        "arrivals": point.arrivals if point.kind == "open" else None,
        "max_in_flight": point.max_in_flight if point.kind != "closed" else None,
        "prompts": perf.prompts.kind,
        "input_tokens": round(float(asked.mean()), 1) if len(asked) else perf.prompts.input_tokens.mean,
        "output_tokens": round(float(known.mean()), 1) if len(known) else None,
        "max_tokens": perf.output.max_tokens,
        "exact": perf.output.exact or None,
        "prompt_lengths_by": lengths_source if perf.prompts.kind == "synthetic" else None,
        "token_source": ("tokenizer" if columns.counted_here else "server") if len(known) else None,
        "turns": perf.prompts.turns if perf.prompts.turns > 1 else None,
        "shared_prefix": perf.prompts.shared_prefix or None,
        "images": f"{perf.prompts.images.count} of {perf.prompts.images.size}" if perf.prompts.images else None,
        "slo": perf.slo.model_dump(exclude_none=True) or None,
        "upload_s": round(float(upload.mean()), 6) if len(upload) else None,
        "clock": clock,
        "seed": perf.seed,
    }
    return {name: value for name, value in found.items() if value is not None}


def _network(noticed: Noticed) -> dict[str, Any]:
    """What a packet takes at least to the server's machine and back; that is in every time to a first token."""
    rtt = _pooled(noticed, "rtt")
    return {"network_rtt_s": round(float(np.median(rtt)), 6)} if len(rtt) else {}


# Plots ------------------------------------------------------------------------------------------------------------


def _plots(columns: Columns, noticed: Noticed) -> dict[str, Any]:
    return {
        "ttft_cdf": _curve(columns.ttft),
        "gap_cdf": _curve(columns.gaps),
        "timeline": _timeline(columns),
        "waterfall": _waterfall(columns),
        "ttft_by_input": _scatter(columns),
        "ttft_by_turn": _by_turn(columns),
        "late_cdf": _curve(_pooled(noticed, "late")),
        "send_late": _send_late(columns),
    }


def _curve(values: Floats) -> list[float]:
    """Values at evenly spaced shares from 0 to 1; empty where there are none."""
    known = values[~np.isnan(values)]
    return [float(f"{one:.5g}") for one in np.quantile(known, np.linspace(0, 1, GRID + 1))] if len(known) else []


def _timeline(columns: Columns) -> dict[str, Any]:
    """Each second, or where that were more than 600 steps, each longer step: in flight, tokens, failures."""
    if not len(columns):
        return {}
    end = float(np.nanmax(columns.all_ended))
    step = max(1.0, end / 600) if end >= 10 else max(0.05, end / 40)
    edges = np.arange(0, end + step, step)
    middle = (edges[:-1] + edges[1:]) / 2
    flying = [int(((columns.all_begun <= t) & (columns.all_ended > t)).sum()) for t in middle]
    worth = np.where(columns.events > 0, columns.tokens / np.maximum(1, columns.events), 0.0)
    known = columns.good & ~np.isnan(columns.tokens)
    tokens = np.histogram(columns.first[known], edges, weights=worth[known])[0]
    if len(columns.gaps):
        owner = columns.gap_owner
        usable = known[owner]
        came = metrics.event_times(columns)
        tokens = tokens + np.histogram(came[usable], edges, weights=worth[owner[usable]])[0]
    failed = np.histogram(columns.ended[~columns.good], edges)[0]
    return {
        "step_s": step,
        "in_flight": flying,
        "tok_s": [round(float(one) / step, 1) for one in tokens],
        "failed": [int(one) for one in failed],
    }


def _waterfall(columns: Columns) -> list[list[float | None]]:
    """Begun, first and last token, end of the first requests."""
    rows = zip(columns.begun, columns.first, columns.last, columns.ended, strict=True)
    return [
        [None if np.isnan(x) else round(float(x), 4) for x in row]
        for row, _ in zip(rows, range(WATERFALL), strict=False)
    ]


def _scatter(columns: Columns) -> list[list[float]]:
    known = np.flatnonzero(columns.good & ~np.isnan(columns.prompt_tokens) & ~np.isnan(columns.ttft))
    chosen = known[:: max(1, len(known) // SCATTER)]
    return [[float(columns.prompt_tokens[at]), round(float(columns.ttft[at]), 6)] for at in chosen]


def _by_turn(columns: Columns) -> list[list[float]]:
    found = []
    for turn in sorted(set(columns.turn.tolist())):
        values = columns.ttft[(columns.turn == turn) & ~np.isnan(columns.ttft)]
        if len(values):
            found.append([turn + 1, *(round(float(one), 6) for one in np.percentile(values, [25, 50, 75]))])
    return found if len(found) > 1 else []


def _send_late(columns: Columns) -> list[list[float]]:
    """Time of the plan, and how late the request was sent; of a closed load how late after the previous answer."""
    late = np.where(np.isnan(columns.planned), columns.refill, columns.begun - columns.planned)
    known = np.flatnonzero(~np.isnan(late))
    chosen = known[:: max(1, len(known) // SCATTER)]
    return [[round(float(columns.begun[at]), 4), round(float(late[at]), 6)] for at in chosen]
