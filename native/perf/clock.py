"""The kernel's receive times on the clock of ``perf_counter``, and whether somebody has set the wall clock meanwhile.

``SO_TIMESTAMPNS`` is CLOCK_REALTIME. On Linux it and CLOCK_MONOTONIC, which ``perf_counter`` reads, are slewed alike:
their distance changes only when the wall clock is set. So it is measured, not interpolated.
"""

from __future__ import annotations

import struct
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

SO_TIMESTAMPNS = 35
"""Of Linux; Python has no name for it."""
ANCILLARY_BYTES = 64
STEP_S = 0.5e-3
"""A change of the distance beyond this is told as a step."""
NOISE_S = 20e-6
"""A change below this is the measurement's own."""
EARLIEST_S = -0.2e-3
"""A packet cannot come after it was read, but for the measurement's noise."""
CREDIBLE_S = 60.0
"""Beyond this it is no lateness, but another clock."""
_TIMESPEC = struct.Struct("qq")


def distance() -> float:
    """CLOCK_REALTIME minus ``perf_counter`` in seconds: the narrowest of several readings."""
    best, found = float("inf"), 0.0
    for _ in range(5):
        before = time.perf_counter()
        wall = time.clock_gettime(time.CLOCK_REALTIME)
        after = time.perf_counter()
        if after - before < best:
            best, found = after - before, wall - (before + after) / 2
    return found


@dataclass
class Clock:
    """Distances by the time from which they were seen; more than one only where the wall clock was set."""

    measure: Callable[[], float] = distance
    since: list[float] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)
    checked_at: float = 0.0
    steps: int = 0

    def check(self) -> None:
        """To be called about once a second."""
        now, found = time.perf_counter(), self.measure()
        if not self.distances:
            self.since, self.distances = [now], [found]
        elif (change := abs(found - self.distances[-1])) > NOISE_S:
            self.since.append(now)
            self.distances.append(found)
            self.steps += change > STEP_S
        self.checked_at = now

    def arrivals(self, stamps: Sequence[bytes], read_at: Sequence[float]) -> list[float | None]:
        """``arrival`` of many reads: all at once, where the wall clock was not set and every read has a stamp."""
        joined = b"".join(stamps)
        if len(self.distances) != 1 or len(joined) != _TIMESPEC.size * len(stamps):
            return [self.arrival(stamp, at) for stamp, at in zip(stamps, read_at, strict=True)]
        distance = self.distances[0]
        found: list[float | None] = []
        for (seconds, nanoseconds), at in zip(_TIMESPEC.iter_unpack(joined), read_at, strict=True):
            placed = (seconds - distance) + nanoseconds * 1e-9
            credible = EARLIEST_S < at - placed < CREDIBLE_S
            found.append((placed if placed < at else at) if credible else None)
        return found

    def arrival(self, stamp: bytes, read_at: float) -> float | None:
        """When the last packet of a read came; None where the kernel did not say, or not credibly.

        Where the wall clock was set near the read, the distance is the one that leaves the least lateness.
        """
        if len(stamp) < _TIMESPEC.size:
            return None
        seconds, nanoseconds = _TIMESPEC.unpack_from(stamp)
        at = max(0, bisect_right(self.since, read_at) - 1)
        near = [(seconds - one) + nanoseconds * 1e-9 for one in self.distances[max(0, at - 1) : at + 2]]
        return max((min(one, read_at) for one in near if EARLIEST_S < read_at - one < CREDIBLE_S), default=None)
