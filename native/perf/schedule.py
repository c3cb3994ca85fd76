"""When the requests of an open load are to be sent: absolute times, fixed before the first of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal

from bridge.native.perf.prompts import read_trace
from bridge.perf_spec import LoadSpec


@dataclass(frozen=True)
class Point:
    """One load: so many users at a time, so many requests a second, or a trace."""

    kind: Literal["closed", "open", "trace"]
    value: float
    """Users, requests per second, or the speed of the trace."""
    arrivals: Literal["constant", "poisson", "gamma"] = "poisson"
    shape: float = 1.0
    max_in_flight: int = 1024
    trace: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """``closed=64``, ``open=2.5``; with what else tells it from its like."""
        number = f"{self.value:g}"
        if self.kind == "trace":
            return f"trace={Path(self.trace or '').name}" + ("" if self.value == 1 else f"x{number}")
        spread = "" if self.kind == "closed" or self.arrivals == "poisson" else f" {self.arrivals}"
        return f"{self.kind}={number}{spread}" + (f" {self.shape:g}" if spread == " gamma" else "")

    @property
    def most_in_flight(self) -> int:
        return int(self.value) if self.kind == "closed" else self.max_in_flight


def points_of(load: LoadSpec) -> list[Point]:
    if load.closed is not None:
        return [Point("closed", users) for users in load.closed]
    if load.trace is not None:
        return [Point("trace", load.speed, max_in_flight=load.max_in_flight, trace=load.trace)]
    return [opened(load, rate) for rate in load.open or ()]


def opened(load: LoadSpec, rate: float) -> Point:
    return Point("open", rate, load.arrivals, load.shape, load.max_in_flight)


@dataclass(frozen=True, slots=True)
class Planned:
    number: int
    at_s: float
    """Since the point's beginning."""
    input_tokens: int = 0
    """Of a trace; 0: as the spec says."""
    output_tokens: int = 0
    blocks: tuple[int, ...] = ()


def schedule(point: Point, seed: int, *, share: int = 0, of: int = 1) -> Iterator[Planned]:
    """Every ``of``-th arrival, beginning with the ``share``-th: all shares together are the whole schedule."""
    for planned in _whole(point, seed):
        if planned.number % of == share:
            yield planned


def _whole(point: Point, seed: int) -> Iterator[Planned]:
    if point.kind == "trace":
        assert point.trace is not None
        for number, one in enumerate(read_trace(Path(point.trace), point.value)):
            yield Planned(number, one.at_s, one.input_tokens, one.output_tokens, one.blocks)
        return
    rng = random.Random(f"{seed}.arrivals.{point.value}")
    at = 0.0
    for number in count():
        yield Planned(number, at)
        at += _pause(point, rng)


def _pause(point: Point, rng: random.Random) -> float:
    mean = 1.0 / point.value
    if point.arrivals == "constant":
        return mean
    if point.arrivals == "gamma":
        return rng.gammavariate(point.shape, mean / point.shape)
    return rng.expovariate(point.value)
