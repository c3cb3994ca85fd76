"""Which load is the strongest that keeps a promise; where the knee is; which points no other beats.  Pure.

A load that a strained-out client could not make says nothing about the server: a search that meets one ends there,
and says that the limit is the client's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import log, sqrt
from typing import Any

from bridge.native.perf.metrics import wilson
from bridge.perf_spec import SearchSpec, limit

CLOSE = 1.05
"""Two loads nearer than this are one."""
MOST_ERRORS = 0.01
COARSE = 64
"""Over a wider range than this the sweep goes by fours, else by twos."""
KNEE_SLOPE = 0.5
"""Where twice the load brings less than 1.4 times the throughput, it is beyond the knee."""
Summary = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    load: float
    holds: bool
    reason: str = ""
    """Why it does not hold."""


@dataclass
class Search:
    """Tells which load to try next; ``None`` when it is found, or cannot be."""

    spec: SearchSpec
    judged: list[Judged] = field(default_factory=list)
    ended: str = ""
    """Why it ended without an answer of the server's."""

    def next_load(self) -> float | None:
        if self.ended or len(self.judged) >= self.spec.points:
            return None
        low, high = self.bracket()
        if low is None:
            if high is not None:
                return None
            return self._round(self.spec.range[0])
        if high is None:
            return self._swept(low)
        middle = self._round(sqrt(low * high))
        if high / low <= CLOSE or middle in (low, high):
            return None
        return middle

    def bracket(self) -> tuple[float | None, float | None]:
        """The strongest load that holds below the weakest that does not; None where there is none yet."""
        high = min((one.load for one in self.judged if not one.holds), default=None)
        low = max((one.load for one in self.judged if one.holds and (high is None or one.load < high)), default=None)
        return low, high

    def take(self, load: float, summary: Summary) -> Judged:
        if summary["verdict"] == "saturated":
            self.ended = (
                f"at {load:g} the client was saturated ({summary['verdict_reason']}): "
                "the limit found is ours, not the server's"
            )
        found = judge(self.spec, load, summary)
        if found.reason.startswith("cannot be judged"):
            self.ended = self.ended or f"at {load:g}: {found.reason}"
        if not self.ended:
            self.judged.append(found)
        return found

    def answer(self) -> dict[str, Any]:
        low, high = self.bracket()
        least, most = self.spec.range
        if self.ended:
            said = self.ended
        elif low is None:
            reason = self.judged[0].reason if self.judged else "nothing was tried"
            said = f"not even {least:g} holds: {reason}"
        elif high is None:
            said = f"{low:g} still holds, the most that was to be tried"
        else:
            why = next(one.reason for one in self.judged if one.load == high)
            said = f"{low:g} holds, {high:g} does not: {why}"
        found = low is not None and not self.ended
        return {
            "over": self.spec.over,
            "value": low if found else None,
            "least_known_to_hold": low,
            "next": high,
            "said": said,
            "path": [[one.load, one.holds, one.reason] for one in self.judged],
            "confidence": "95 % (Wilson)" if self.spec.max else "95 % (order statistics)",
            "is_bound": found and high is None and low is not None and low >= most,
        }

    def _swept(self, low: float) -> float | None:
        least, most = self.spec.range
        if low >= most:
            return None
        return self._round(min(most, low * (4 if most / least > COARSE else 2)))

    def _round(self, load: float) -> float:
        return float(max(1, round(load))) if self.spec.over == "closed" else float(f"{load:.4g}")


def judge(spec: SearchSpec, load: float, summary: Summary) -> Judged:
    values = summary["values"]
    failed = values["error_share"]["value"]
    if failed is None:
        return Judged(load, False, "cannot be judged: nothing was sent")
    if spec.max is not None:
        return _by_goodput(spec.attain, load, values["goodput"])
    if failed > MOST_ERRORS:
        return Judged(load, False, f"{100 * failed:.3g} % of the requests failed")
    if unsent := summary["counts"]["unsent"]:
        return Judged(load, False, f"{unsent} requests found max_in_flight reached")
    for name, text in (spec.until or {}).items():
        operator, wanted = limit(text)
        value = values.get(name) or {"value": None, "reason": "is not measured under this load"}
        if value["value"] is None:
            return Judged(load, False, f"cannot be judged: {name}: {value['reason']}")
        # The promise holds where the whole interval keeps it, if there is one.
        worst = (value["ci95"] or [value["value"]] * 2)[1 if "<" in operator else 0]
        if not _keeps(worst, operator, wanted):
            return Judged(load, False, f"{name} is {value['value']:.4g} (up to {worst:.4g}), not {text}")
    return Judged(load, True)


def _by_goodput(attain: float, load: float, value: dict[str, Any]) -> Judged:
    n = value["n"]
    if wilson(n, n)[0] < attain:
        return Judged(load, False, f"cannot be judged: {n} requests are too few to show {attain:g}")
    low = value["ci95"][0]
    if low >= attain:
        return Judged(load, True)
    return Judged(load, False, f"goodput is {value['value']:.4g}, with 95 % confidence at least {low:.4g}")


def _keeps(value: float, operator: str, wanted: float) -> bool:
    return {"<": value < wanted, "<=": value <= wanted, ">": value > wanted, ">=": value >= wanted}[operator]


def knee(points: Sequence[tuple[float, float]]) -> float | None:
    """The load from which on more load brings little more throughput; of (load, throughput), ascending.

    None where throughput rises to the end, or there are fewer than three points.
    """
    if len(points) < 3:
        return None
    for (load, rate), (more, higher) in pairwise(points):
        if rate <= 0 or log(max(higher, 1e-12) / rate) < KNEE_SLOPE * log(more / load):
            return load
    return None


def pareto(points: Sequence[tuple[float, float]]) -> list[int]:
    """Places of the points that no other beats in both throughput and speed per user."""
    return [
        at for at, (x, y) in enumerate(points) if not any(a >= x and b >= y and (a, b) != (x, y) for a, b in points)
    ]
