"""How much of a load is asked: where its warm-up ends, and when it is enough."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from bridge.native.perf.schedule import Planned, Point
from bridge.perf_spec import PerfBlock, seconds

OPEN_WARMUP = 10
now = time.perf_counter


@dataclass
class Counts:
    """Of the measured requests so far."""

    sent: int = 0
    unsent: int = 0
    finished: int = 0
    failed: int = 0
    reconnected: int = 0
    refused: int = 0
    """Connections refused, one after the other."""


@dataclass
class Extent:
    """Of one share of a point. ``counts`` are the driver's."""

    point: Point
    perf: PerfBlock
    counts: Counts
    share: int
    of: int
    start: float = 0.0
    """On the clock of ``perf_counter``."""
    _begun: int = 0
    _measured_from: float | None = field(default=None)

    def __post_init__(self) -> None:
        given, stop = self.perf.warmup, self.perf.stop
        default = 0 if given.duration else self.users if self.users else self.mine(OPEN_WARMUP)
        self._warm_requests = default if given.requests is None else self.mine(given.requests)
        self._warm_s = seconds(given.duration) if given.duration else 0.0
        self._most = None if stop.requests is None else max(1, self.mine(stop.requests))
        self._duration = None if stop.duration is None else seconds(stop.duration)

    def mine(self, n: int) -> int:
        """What falls to this share of ``n``."""
        return n // self.of + (self.share < n % self.of)

    @property
    def users(self) -> int:
        return self.mine(int(self.point.value)) if self.point.kind == "closed" else 0

    def of_all(self, number: int) -> int:
        """This share's so many-th, counted over all shares."""
        return number * self.of + self.share

    def following(self) -> tuple[int, bool]:
        """Number of the next request of a closed load, and whether it is part of the warm-up."""
        number = self._begun
        self._begun += 1
        warm = number < self._warm_requests or now() - self.start < self._warm_s
        if not warm and self._measured_from is None:
            self._measured_from = now()
        return self.of_all(number), warm

    def is_enough(self) -> bool:
        """Of a closed load."""
        return self._has_lasted(now()) or (self._most is not None and self.counts.sent >= self._most)

    def takes(self, planned: Planned) -> bool:
        """Whether this arrival still belongs to the load. A trace ends with its file."""
        at = self.start + planned.at_s
        if self._measured_from is None and self._begun >= self._warm_requests and planned.at_s >= self._warm_s:
            self._measured_from = at
        if self.point.kind == "trace":
            return True
        sent = self.counts.sent + self.counts.unsent
        return not (self._has_lasted(at) or (self._most is not None and sent >= self._most))

    def is_warm(self, planned: Planned) -> bool:
        """To be asked once of each arrival that was taken."""
        self._begun += 1
        return self.point.kind != "trace" and (self._begun - 1 < self._warm_requests or planned.at_s < self._warm_s)

    def _has_lasted(self, at: float) -> bool:
        return (
            self._duration is not None
            and self._measured_from is not None
            and at - self._measured_from >= self._duration
        )
