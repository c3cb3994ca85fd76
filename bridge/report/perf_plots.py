"""What ``perf.json`` holds of a performance test → its charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bridge.report.perf_chart import Chart, Pair, chart

Point = dict[str, Any]
USERS, RATE = "users at a time", "requests per second asked for"
MOST_CURVES = 8
SHORTEST_S = 1e-5
"""Of a logarithmic axis; events of one packet have no time between them."""


def over_all(data: dict[str, Any]) -> list[Chart]:
    """Charts of all load points together; what there is nothing to show of is left out."""
    points: list[Point] = data.get("points") or []
    found: list[Chart | None] = []
    for kind, name in (("closed", USERS), ("open", RATE)):
        some = sorted((point for point in points if point["kind"] == kind), key=lambda point: float(point["load"]))
        if len(some) > 1:
            ttft = "ttft_planned" if kind == "open" else "ttft"
            knee = (data.get("knee") or {}).get(kind)
            found += [_latency(some, ttft, name), _latency(some, "gap", name), _throughput(some, name, knee)]
            found.append(_goodput(some, name, data.get("search"), kind))
    found += [_pareto(points, data.get("pareto") or []), _curves(points, "ttft"), _curves(points, "gap")]
    return [one for one in found if one is not None]


def of_point(point: Point) -> list[Chart]:
    plots = point["plots"]
    found = [
        *_timeline(point),
        _lateness(point),
        _waterfall(point),
        _by_input(plots["ttft_by_input"]),
        _by_turn(plots["ttft_by_turn"]),
    ]
    return [one for one in found if one is not None]


def _value(point: Point, metric: str) -> float | None:
    found = point["values"].get(metric)
    value: float | None = found["value"] if found else None
    return value


# Over the loads ---------------------------------------------------------------------------------------------------


def _latency(points: Sequence[Point], metric: str, x_name: str) -> Chart | None:
    """Median and 99th percentile, or the highest that the samples carry, with their intervals."""
    tail = next((s for s in ("p99", "p95", "p90") if any(_value(p, f"{metric}.{s}") for p in points)), None)
    lines = {s: _line(points, f"{metric}.{s}") for s in ("p50", tail) if s}
    everything = [y for line in lines.values() for _, y in line]
    titles = {"ttft": "Time to first token", "ttft_planned": "Time to first token, from the plan", "gap": "Gaps"}
    found = chart(titles[metric], x_name, "ms", [float(p["load"]) for p in points], everything, log_x=True, log_y=True)
    for at, (statistic, line) in enumerate(lines.items() if found else ()):
        assert found is not None
        found.band(_band(points, f"{metric}.{statistic}"), f"c{at}")
        found.line(line, f"c{at}", title=statistic, dots=True)
        found.legend.append((f"c{at}", statistic))
    return found


def _line(points: Sequence[Point], metric: str, factor: float = 1e3) -> list[Pair]:
    pairs = ((float(point["load"]), _value(point, metric)) for point in points)
    return [(load, factor * value) for load, value in pairs if value is not None]


def _band(points: Sequence[Point], metric: str, factor: float = 1e3) -> list[tuple[float, float, float]]:
    found = []
    for point in points:
        interval = (point["values"].get(metric) or {}).get("ci95")
        if interval:
            found.append((float(point["load"]), factor * interval[0], factor * interval[1]))
    return found


def _throughput(points: Sequence[Point], x_name: str, knee: float | None) -> Chart | None:
    metric = "output_tok_s" if any(_value(p, "output_tok_s") for p in points) else "req_s"
    line = _line(points, metric, 1.0)
    name = "tokens per second" if metric == "output_tok_s" else "requests per second"
    found = chart("Throughput", x_name, name, [float(p["load"]) for p in points], [y for _, y in line], log_x=True)
    if found is None:
        return None
    found.line(line, "c0", title=name, dots=True)
    if knee is not None and (at := dict(line).get(knee)) is not None:
        found.dot(knee, at, "knee", f"knee at {knee:g}")
        found.label(knee, at, f"knee at {knee:g}")
    for point in points:
        if point["verdict"] == "saturated" and (y := dict(line).get(float(point["load"]))) is not None:
            found.dot(float(point["load"]), y, "ours", "client saturated")
    return found


def _goodput(points: Sequence[Point], x_name: str, search: dict[str, Any] | None, kind: str) -> Chart | None:
    line = _line(points, "goodput", 100.0)
    found = chart("Goodput", x_name, "% of the requests", [float(p["load"]) for p in points], [0.0, 100.0], log_x=True)
    if found is None or not line:
        return None
    found.band(_band(points, "goodput", 100.0), "c2")
    found.line(line, "c2", title="goodput, %", dots=True)
    if search is not None and search["over"] == kind:
        tried = {load: number for number, (load, _, _) in enumerate(search["path"], 1)}
        for load, share in line:
            if load in tried:
                found.label(load, share, str(tried[load]))
        found.note = f"Numbers: the order in which the search tried them. {search['said']}."
    return found


def _pareto(points: Sequence[Point], best: Sequence[str]) -> Chart | None:
    places = {}
    for point in points:
        rate, tpot = _value(point, "output_tok_s"), _value(point, "tpot.mean")
        if rate and tpot:
            places[point["id"]] = (1 / tpot, rate)
    if len(places) < 2:
        return None
    speeds, rates = zip(*places.values(), strict=True)
    found = chart("Throughput against speed", "tokens per second of one user", "tokens per second", speeds, rates)
    assert found is not None
    found.line(sorted(places[name] for name in best if name in places), "c3")
    for name, (speed, rate) in places.items():
        found.dot(speed, rate, "c3" if name in best else "beaten", name)
        found.label(speed, rate, name.partition("=")[2])
    found.note = "Hollow points are beaten in both by another."
    return found


def _curves(points: Sequence[Point], name: str) -> Chart | None:
    curves = {point["id"]: point["plots"][f"{name}_cdf"] for point in points if point["plots"][f"{name}_cdf"]}
    chosen = list(curves)[:: max(1, -(-len(curves) // MOST_CURVES))]
    values = [1e3 * max(value, SHORTEST_S) for one in chosen for value in curves[one]]
    title = "Distribution of the time to first token" if name == "ttft" else "Distribution of the gaps"
    found = chart(title, "ms", "share", values, [0.0, 1.0], log_x=True)
    for at, one in enumerate(chosen if found else ()):
        assert found is not None
        last = len(curves[one]) - 1
        found.line(
            [(1e3 * max(value, SHORTEST_S), n / last) for n, value in enumerate(curves[one])], f"c{at % 6}", title=one
        )
        found.legend.append((f"c{at % 6}", one))
    return found


# Of one load ------------------------------------------------------------------------------------------------------


def _timeline(point: Point) -> Iterator[Chart | None]:
    line = point["plots"]["timeline"]
    if not line:
        return
    step = line["step_s"]
    for name, title, kind in (("in_flight", "In flight", "c0"), ("tok_s", "Tokens per second", "c2")):
        values = line[name]
        xs = [step * (at + 0.5) for at in range(len(values))]
        found = chart(title, "seconds", title.lower(), [0.0, *xs], [0.0, *values])
        if found is None:
            continue
        if point["window"]:
            found.shade(*point["window"])
            found.note = "Shaded: the measured window."
        found.line(zip(xs, values, strict=True), kind)
        for x, failed in zip(xs, line["failed"], strict=True):
            if failed:
                found.dot(x, 0.0, "ours", f"{failed} failed")
        yield found


def _lateness(point: Point) -> Chart | None:
    late = [(x, 1e3 * max(0.0, y)) for x, y in point["plots"]["send_late"]]
    read = point["plots"]["late_cdf"]
    if not late:
        return None
    highest = max([y for _, y in late] + [1e3 * value for value in read[-3:-1]])
    end = max(x for x, _ in late)
    found = chart("The client's own lateness", "seconds", "ms", [0.0, end], [0.0, highest])
    assert found is not None
    for x, y in late:
        found.dot(x, y, "c1 small", "")
    found.legend.append(("c1", "sent late"))
    if read:
        p99 = 1e3 * read[round(0.99 * (len(read) - 1))]
        found.line([(0.0, p99), (end, p99)], "c4", title="read late, p99")
        found.legend.append(("c4", f"read late, p99: {p99:.3g} ms"))
    return found


def _waterfall(point: Point) -> Chart | None:
    rows = [row for row in point["plots"]["waterfall"] if row[0] is not None and row[3] is not None]
    if not rows:
        return None
    found = chart("The first requests", "seconds", "request", [0.0, *(row[3] for row in rows)], [0.0, float(len(rows))])
    assert found is not None
    for at, (begun, first, last, ended) in enumerate(rows):
        if first is None or last is None:
            found.rect(begun, ended, at + 0.1, at + 0.9, "failed")
        else:
            found.rect(begun, first, at + 0.1, at + 0.9, "waits")
            found.rect(first, last, at + 0.1, at + 0.9, "c0")
    found.legend += [("waits", "until the first token"), ("c0", "tokens"), ("failed", "failed")]
    return found


def _by_input(pairs: Sequence[Sequence[float]]) -> Chart | None:
    if len({pair[0] for pair in pairs}) < 3:
        return None
    found = chart(
        "Time to first token by length of the prompt",
        "prompt tokens",
        "ms",
        [pair[0] for pair in pairs],
        [1e3 * pair[1] for pair in pairs],
    )
    assert found is not None
    for tokens, ttft in pairs:
        found.dot(tokens, 1e3 * ttft, "c0 small", "")
    return found


def _by_turn(rows: Sequence[Sequence[float]]) -> Chart | None:
    values = [1e3 * value for row in rows for value in row[1:]]
    found = chart("Time to first token by turn", "turn", "ms", [row[0] for row in rows], [0.0, *values] if rows else [])
    if found is None:
        return None
    found.band([(row[0], 1e3 * row[1], 1e3 * row[3]) for row in rows], "c0")
    found.line([(row[0], 1e3 * row[2]) for row in rows], "c0", title="median", dots=True)
    found.note = "Median; the band holds the middle half."
    return found
