"""The client watches itself: when it could look at its sockets, how late it read, how late it sent, what it cost.

A client that is too slow reports its own queue as the server's. What it measures of itself is judged per point.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import select
import selectors
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import floor, inf, log2
from typing import Literal

from bridge.native.perf.clock import Clock
from bridge.native.perf.departures import AWAKE_S, Departures
from bridge.native.perf.network import Network
from bridge.native.perf.tally import Tally

Verdict = Literal["clean", "strained", "saturated"]
HEARTBEAT_S = 0.01
COARSE_S = 1e-3
"""``epoll`` knows whole milliseconds, and rounds up."""
SHORT_S = 2 * COARSE_S
SLEPT_S = 50e-6
BURST_S = 1e-4
"""Answers whose events come at once have no gap that a late read could spoil."""
now = time.perf_counter


class Watchful(selectors.DefaultSelector):
    """The event loop's selector; knows since when nobody had been able to look at the sockets.

    Waits to the microsecond where a timer is near, and for a departure awake.
    """

    def __init__(self) -> None:
        super().__init__()
        self.departures = Departures()
        self.since = self._returned = now()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        departures = self.departures
        departures.ring()
        entered = now()
        wanted = departures.due - entered - AWAKE_S
        is_next = timeout is None or wanted < timeout
        ready = self._wait(max(0.0, wanted) if is_next and wanted < inf else timeout)
        looked = now()
        if timeout != 0 and not ready and departures.due - looked < AWAKE_S:
            departures.ring_when_due()
            ready = super().select(0)
        # Whoever had to wait found nothing at first; else something may have come since the last look.
        self.since = looked if looked - entered > SLEPT_S else self._returned
        self._returned = now()
        return ready

    def _wait(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            if timeout < SHORT_S:
                select.select([self], [], [], timeout)
                timeout = 0
            else:
                timeout -= COARSE_S  # the loop comes back for the rest
        return super().select(timeout)


@dataclass
class Watch:
    """What one process noticed about itself during one load point."""

    clock: Clock = field(default_factory=Clock)
    late: Tally = field(default_factory=Tally)
    """Read minus arrival, in seconds."""
    lag: Tally = field(default_factory=Tally)
    """How late a timer of 10 ms rings."""
    shared: Counter[int] = field(default_factory=Counter)
    """Events that came in one read with another, by how long the socket had been out of sight (log2 of µs)."""
    events: int = 0
    unstamped: int = 0
    """Reads without a credible time of the kernel's."""
    cpu_s: float = 0.0
    wall_s: float = 0.0
    network: Network = field(default_factory=Network)

    @contextmanager
    def on(self, departures: Departures) -> Iterator[None]:
        """Watches while the block runs; the garbage collector rests. Waiting awake for a departure is no work."""
        self.clock.check()
        beating = asyncio.create_task(self._beat())
        gc.collect()
        gc.freeze()
        gc.disable()
        wall, cpu, spun = now(), time.process_time(), departures.spun_s
        try:
            yield
        finally:
            self.wall_s = now() - wall
            self.cpu_s = time.process_time() - cpu - (departures.spun_s - spun)
            beating.cancel()
            gc.enable()
            gc.unfreeze()

    async def _beat(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                due = now() + HEARTBEAT_S
                await asyncio.sleep(HEARTBEAT_S)
                self.lag.add(max(0.0, now() - due))
                if now() - self.clock.checked_at > 1.0:
                    self.clock.check()

    def take_shared(self, events: int, out_of_sight_s: float) -> None:
        self.shared[floor(log2(max(1.0, out_of_sight_s * 1e6)))] += events

    def summary(self) -> dict[str, object]:
        """Plain values, to be written down and added up over processes."""
        return {
            "late": list(self.late.values),
            "lag": list(self.lag.values),
            "shared": {str(power): n for power, n in self.shared.items()},
            "events": self.events,
            "unstamped": self.unstamped,
            "clock_steps": self.clock.steps,
            "rtt": list(self.network.rtt.values),
            "resent": self.network.resent,
            "disordered": self.network.disordered,
            "cpu_s": self.cpu_s,
            "wall_s": self.wall_s,
        }


@dataclass(frozen=True)
class Seen:
    """The figures by which a point is judged; times in seconds, None where there is none."""

    late_p99: float | None
    lag_p99: float | None
    send_late_p99: float | None
    coalesced: float
    """Share of the events whose time may be that of a later one."""
    cpu: float
    """Of one core, of the busiest process."""
    gap_p50: float | None
    spacing: float | None
    """Mean time between planned sends; None of a closed loop."""
    achieved: float | None = None
    """Requests sent per second, of those planned; None of a closed loop."""


def coalesced(shared: Counter[int], events: int, gap_p50: float | None) -> float:
    """Share of events that were read together with a later one because the client had not looked in time.

    A server may itself send several in one packet: counted are reads of sockets that had been out of sight for so
    long that packets could pile up, more than a millisecond and a quarter of the usual gap.
    """
    threshold = max(1e-3, 0.25 * (gap_p50 or 0.0))
    return sum(n for power, n in shared.items() if 2.0**power * 1e-6 >= threshold) / max(1, events)


def verdict(seen: Seen) -> tuple[Verdict, str]:
    """The verdict, and what it is for; empty for a clean client."""
    late = seen.late_p99 if seen.late_p99 is not None else seen.lag_p99
    if reason := _saturated(seen, late):
        return "saturated", reason
    strains = [
        (late is not None and late >= 1e-3, f"read {_ms(late)} late (p99)"),
        ((seen.send_late_p99 or 0.0) >= 2e-3, f"sent {_ms(seen.send_late_p99)} late (p99)"),
        (seen.coalesced >= 1e-3, f"{100 * seen.coalesced:.2g} % of the events read together"),
        (seen.cpu >= 0.7, f"{100 * seen.cpu:.0f} % of a core"),
    ]
    told = [words for holds, words in strains if holds]
    return ("strained", ", ".join(told)) if told else ("clean", "")


def _saturated(seen: Seen, late: float | None) -> str:
    most_late = max(5e-3, 0.1 * (seen.spacing or 0.0))
    if seen.coalesced > 0.01:
        return f"{100 * seen.coalesced:.2g} % of the events were read together with later ones"
    if late is not None and seen.gap_p50 is not None and seen.gap_p50 > BURST_S and late > max(seen.gap_p50, 1e-3):
        return f"answers were read {_ms(late)} late (p99), more than the usual gap of {_ms(seen.gap_p50)}"
    if seen.send_late_p99 is not None and seen.send_late_p99 > most_late:
        return f"requests were sent {_ms(seen.send_late_p99)} late (p99)"
    if seen.achieved is not None and seen.achieved < 0.98:
        return f"only {100 * seen.achieved:.1f} % of the planned rate was sent"
    if seen.cpu > 0.95:
        return f"it used {100 * seen.cpu:.0f} % of a core"
    return ""


def _ms(seconds: float | None) -> str:
    return f"{1e3 * (seconds or 0.0):.3g} ms"
