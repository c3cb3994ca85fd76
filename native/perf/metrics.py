"""What a load point's requests came to.  Pure: columns in, numbers out; docs/perf.md has the definitions.

Latencies are of good requests only; how many were not good stands beside them. A value that the samples do not carry
is None, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, isfinite, sqrt

import numpy as np

from bridge.native.perf.columns import Columns, Floats, Ints

PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9)
BEYOND = 5
"""A percentile needs so many samples beyond it."""
Z = 1.959964
RESAMPLES = 200
BATCHES = 20
T_19 = 2.093
"""Student's, for so many batches."""
MOST_GAPS = 1_000_000
"""For intervals by resampling: of more gaps, every so many-th is used."""


@dataclass(frozen=True)
class Value:
    """One number; ``value`` None has a ``reason``."""

    value: float | None
    ci95: tuple[float, float] | None = None
    n: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Window:
    """Between these two times the load was what it was to be."""

    start: float
    end: float

    @property
    def width(self) -> float:
        return self.end - self.start


def window(columns: Columns, target: int | None) -> Window | None:
    """From the end of the warm-up, and of a closed load ``target`` requests in flight, to the last planned send."""
    if not len(columns):
        return None
    if target is None:
        starts = columns.planned[~np.isnan(columns.planned)]
        found = Window(float(starts.min()), float(starts.max())) if len(starts) else None
    else:
        reached = _reached(columns, target)
        start = max(columns.warm_end, reached if reached is not None else 0.0)
        found = Window(start, float(columns.begun.max()))
    return found if found is not None and found.width > 0 else None


def _reached(columns: Columns, target: int) -> float | None:
    """When so many requests were first in flight."""
    times = np.concatenate([columns.all_begun, columns.all_ended])
    change = np.concatenate([np.ones(len(columns.all_begun)), -np.ones(len(columns.all_ended))])
    order = np.lexsort((-change, times))
    level = np.cumsum(change[order])
    found = np.flatnonzero(level >= target)
    return float(times[order][found[0]]) if len(found) else None


# Latencies ------------------------------------------------------------------------------------------------------


def latencies(values: Floats) -> dict[str, Value]:
    """``mean``, ``p1`` … ``p99.9`` of one number for each request."""
    known = np.sort(values[~np.isnan(values)])
    n = len(known)
    if not n:
        return {name: Value(None, reason="no good request has this") for name in _names()}
    found = {"mean": Value(float(known.mean()), _mean_interval(known), n)}
    for percent in PERCENTILES:
        found[_name(percent)] = _percentile(known, percent)
    return found


def _percentile(ordered: Floats, percent: float) -> Value:
    n, share = len(ordered), percent / 100
    if lacking := _too_few(n, share):
        return Value(None, n=n, reason=lacking)
    spread = Z * sqrt(n * share * (1 - share))
    low, high = floor(n * share - spread), ceil(n * share + spread)
    interval = (float(ordered[low]), float(ordered[high])) if low >= 0 and high < n else None
    return Value(float(np.percentile(ordered, percent)), interval, n)


def _too_few(n: int, share: float) -> str:
    beyond = min(share, 1 - share) * n
    needed = ceil(BEYOND / min(share, 1 - share) - 1e-9)
    return "" if beyond >= BEYOND - 1e-9 else f"{n} samples; this percentile needs {needed}"


def _mean_interval(values: Floats) -> tuple[float, float] | None:
    if len(values) < 2:
        return None
    mean, half = float(values.mean()), Z * float(values.std(ddof=1)) / sqrt(len(values))
    return mean - half, mean + half


def gaps(values: Floats, owner: Ints, seed: int = 0) -> dict[str, Value]:
    """Of all gaps pooled. Gaps of one request share its luck, so the intervals are by resampling requests."""
    n = len(values)
    if not n:
        return {name: Value(None, reason="no good request has two events") for name in _names()}
    found = {"mean": float(values.mean())}
    wanted = [percent for percent in PERCENTILES if not _too_few(n, percent / 100)]
    found |= dict(zip(map(_name, wanted), map(float, np.percentile(values, wanted)), strict=True)) if wanted else {}
    spread = _resampled(values, owner, wanted, seed)
    return {
        name: Value(found[name], spread.get(name), n)
        if name in found
        else Value(None, n=n, reason=_too_few(n, _share(name)))
        for name in _names()
    }


def _resampled(values: Floats, owner: Ints, percents: list[float], seed: int) -> dict[str, tuple[float, float]]:
    step = max(1, len(values) // MOST_GAPS)
    values, owner = values[::step], owner[::step]
    owners, owner = np.unique(owner, return_inverse=True)
    if len(owners) < 20:
        return {}
    order = np.argsort(values)
    ordered, owner_of_ordered = values[order], owner[order]
    sums = np.bincount(owner, values)
    counts = np.bincount(owner)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(max(40, RESAMPLES * 100_000 // max(100_000, len(values)))):
        weights = np.bincount(rng.integers(0, len(owners), len(owners)), minlength=len(owners))
        cumulated = np.cumsum(weights[owner_of_ordered])
        at = np.searchsorted(cumulated, np.array(percents) / 100 * cumulated[-1])
        drawn.append([float((sums @ weights) / (counts @ weights)), *ordered[np.minimum(at, len(ordered) - 1)]])
    low, high = np.percentile(np.array(drawn), [2.5, 97.5], axis=0)
    names = ["mean", *map(_name, percents)]
    return {name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)}


def is_one_token_an_event(columns: Columns) -> float | None:
    """Tokens an event over all good requests; None where the tokens are not known."""
    known = columns.good & ~np.isnan(columns.tokens) & (columns.events > 0)
    if not known.any():
        return None
    if bool((np.abs(columns.tokens[known] - columns.events[known]) <= 1).all()):
        return 1.0
    return float(columns.tokens[known].sum() / columns.events[known].sum())


# Rates ------------------------------------------------------------------------------------------------------------


def rates(columns: Columns, within: Window | None) -> dict[str, Value]:
    """Completions and tokens that *came* within the window, per second; beside it over the whole wall time."""
    good = columns.good
    if not good.any():
        lacking = Value(None, reason="no request was good")
        return dict.fromkeys(("req_s", "output_tok_s", "total_tok_s", "req_s.wall", "output_tok_s.wall"), lacking)
    whole = float(np.nanmax(columns.ended) - np.nanmin(columns.begun))
    tokens = np.nansum(columns.tokens[good])
    known = not bool(np.isnan(columns.tokens[good]).any())
    no_tokens = "" if known else "the server counts no tokens, and there is no tokenizer"
    found = {
        "req_s.wall": _rate(float(good.sum()), whole),
        "output_tok_s.wall": _rate(float(tokens), whole) if known else Value(None, reason=no_tokens),
    }
    if within is None:
        lacking = Value(None, reason="too few requests: the load ended before it was reached")
        return {"req_s": lacking, "output_tok_s": lacking, "total_tok_s": lacking, **found}
    ended_in = good & (columns.last >= within.start) & (columns.last <= within.end)
    inside = int(ended_in.sum())
    moments = columns.last[ended_in]
    found["req_s"] = Value(inside / within.width, _batched(moments, np.ones(inside), within), inside)
    if not known:
        lacking = Value(None, reason=no_tokens)
        return {**found, "output_tok_s": lacking, "total_tok_s": lacking}
    came, worth = _tokens_inside(columns, within)
    output = float(worth.sum())
    prompt = float(np.nansum(columns.prompt_tokens[ended_in]))
    found["output_tok_s"] = Value(output / within.width, _batched(came, worth, within), inside)
    found["total_tok_s"] = Value((output + prompt) / within.width, n=inside)
    return found


def _tokens_inside(columns: Columns, within: Window) -> tuple[Floats, Floats]:
    """When the events inside the window came, and their worth: each its request's tokens per event."""
    of_request = np.where(columns.events > 0, columns.tokens / np.maximum(1, columns.events), 0.0)
    came, worth = columns.first[columns.good], of_request[columns.good]
    if len(columns.gaps):
        came = np.concatenate([came, event_times(columns)])
        worth = np.concatenate([worth, of_request[columns.gap_owner]])
    inside = (came >= within.start) & (came <= within.end) & ~np.isnan(worth)
    return came[inside], worth[inside]


def _batched(moments: Floats, worth: Floats, within: Window) -> tuple[float, float] | None:
    """Of a rate: by the means of equal parts of the window, since what comes shortly after each other is alike."""
    if len(moments) < 2 * BATCHES:
        return None
    sums = np.histogram(moments, BATCHES, (within.start, within.end), weights=worth)[0] * BATCHES / within.width
    mean, half = float(sums.mean()), T_19 * float(sums.std(ddof=1)) / sqrt(BATCHES)
    return max(0.0, mean - half), mean + half


def event_times(columns: Columns) -> Floats:
    """When each event but its request's first came."""
    summed = np.cumsum(columns.gaps)
    first_of = np.searchsorted(columns.gap_owner, columns.gap_owner)
    before = np.where(first_of > 0, summed[first_of - 1], 0.0)
    times: Floats = columns.first[columns.gap_owner] + summed - before
    return times


def _rate(amount: float, width: float) -> Value:
    return Value(amount / width, n=int(amount)) if width > 0 else Value(None, reason="nothing was sent")


def _count_interval(n: int, width: float) -> tuple[float, float]:
    half = Z * sqrt(max(n, 1))
    return max(0.0, n - half) / width, (n + half) / width


# Goodput ----------------------------------------------------------------------------------------------------------


def goodput(columns: Columns, limits: dict[str, float], within: Window | None, *, planned: bool) -> dict[str, Value]:
    """Share of all requests *sent*, failures included, that keep every limit, and how many of these a second."""
    n = len(columns)
    if not limits or not n:
        return {}
    kept = keeps(columns, limits, planned=planned)
    share = Value(float(kept.mean()), wilson(int(kept.sum()), n), n)
    if within is None:
        return {"goodput": share, "goodput_per_s": Value(None, reason="too few requests")}
    inside = int((kept & (columns.last >= within.start) & (columns.last <= within.end)).sum())
    return {
        "goodput": share,
        "goodput_per_s": Value(inside / within.width, _count_interval(inside, within.width), inside),
    }


def keeps(columns: Columns, limits: dict[str, float], *, planned: bool) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which requests keep the limits; in an open load waiting to be sent counts too. One token has no tpot to keep."""
    kept = columns.good.copy()
    from_ = np.where(np.isnan(columns.planned), columns.begun, columns.planned) if planned else columns.begun
    for name, most in limits.items():
        if name == "tpot":
            kept &= np.isnan(columns.tpot) | (columns.tpot <= most)
        else:
            kept &= ((columns.first if name == "ttft" else columns.last) - from_) <= most
    return kept


def wilson(kept: int, n: int) -> tuple[float, float]:
    share = kept / n
    centre = share + Z * Z / (2 * n)
    half = Z * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return max(0.0, (centre - half) / (1 + Z * Z / n)), min(1.0, (centre + half) / (1 + Z * Z / n))


# In flight --------------------------------------------------------------------------------------------------------


def in_flight(columns: Columns, within: Window | None) -> Value:
    """Requests under way, on average over the window."""
    if within is None:
        return Value(None, reason="too few requests")
    overlap = np.minimum(columns.all_ended, within.end) - np.maximum(columns.all_begun, within.start)
    return Value(float(np.clip(overlap, 0, None).sum() / within.width))


def grows(columns: Columns, within: Window | None) -> bool:
    """The server falls behind: both what is in flight and the time to the first token rise over the window.

    Each by a t-test of its slope at three standard errors, and by more than a fifth from beginning to end.
    """
    if within is None or len(columns) < 30:
        return False
    at = np.linspace(within.start, within.end, 20)
    level = np.array([float(((columns.all_begun <= t) & (columns.all_ended > t)).sum()) for t in at])
    known = ~np.isnan(columns.ttft)
    return _rises(at, level) and _rises(columns.begun[known], columns.ttft[known])


def _rises(x: Floats, y: Floats) -> bool:
    if len(x) < 10 or not float(np.ptp(x)):
        return False
    centred = x - x.mean()
    spread = float(centred @ centred)
    slope = float(centred @ y) / spread
    rest = y - y.mean() - slope * centred
    error = sqrt(float(rest @ rest) / (len(x) - 2) / spread)
    return slope > 3 * error and slope * float(np.ptp(x)) > 0.2 * max(1e-9, float(y.mean()))


def _names() -> list[str]:
    return ["mean", *map(_name, PERCENTILES)]


def _name(percent: float) -> str:
    return f"p{percent:g}"


def _share(name: str) -> float:
    return float(name[1:]) / 100 if isfinite(float(name[1:])) else 0.5
