"""A load point's records as columns of numbers, read back from its files."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bridge.native.perf.record import Record, read_line

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Columns:
    """Measured requests only (no warm-up); NaN where there is no value. Times in seconds since the point began."""

    begun: Floats
    planned: Floats
    sent: Floats
    connect: Floats
    refill: Floats
    first: Floats
    first_output: Floats
    last: Floats
    ended: Floats
    tpot: Floats
    events: Ints
    tokens: Floats
    prompt_tokens: Floats
    asked_tokens: Ints
    turn: Ints
    good: npt.NDArray[np.bool_]
    gaps: Floats
    """Of good requests, all in a row."""
    gap_owner: Ints
    """Which request each gap is of."""
    errors: dict[str, int]
    """Kind of failure → how many."""
    messages: dict[str, str]
    """Kind of failure → what the first of them said."""
    counted_here: int
    """Requests whose tokens a tokenizer has counted, since the server did not."""
    cached_tokens: int
    not_done: int
    fresh_tries: int
    retry_after: int
    warm_end: float
    """When the last request of the warm-up had ended; 0 without one."""
    all_begun: Floats
    all_ended: Floats
    """Warm-up included."""

    def __len__(self) -> int:
        return len(self.begun)

    @property
    def ttft(self) -> Floats:
        return self.first - self.begun

    @property
    def e2e(self) -> Floats:
        return self.last - self.begun


def read_files(files: Iterable[Path]) -> Columns:
    """Lines that a kill has cut are left out."""
    records = []
    for file in files:
        with file.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    records.append(read_line(line))
    return columns(records)


def columns(records: Iterable[Record]) -> Columns:
    everything = list(records)
    measured = sorted((one for one in everything if not one.warm), key=lambda one: one.begun)
    good = [one for one in measured if one.good]
    owner_of = {id(one): at for at, one in enumerate(measured)}
    gaps, owners = array("l"), array("l")
    for one in good:
        gaps.extend(one.gaps_us)
        owners.extend([owner_of[id(one)]] * len(one.gaps_us))
    failed = [one for one in measured if not one.good]
    return Columns(
        begun=_floats(one.begun for one in measured),
        planned=_floats(one.planned for one in measured),
        sent=_floats(one.sent for one in measured),
        connect=_floats(one.connect_s for one in measured),
        refill=_floats(one.refill_s for one in measured),
        first=_floats(one.first if one.good else None for one in measured),
        first_output=_floats(one.first_output if one.good else None for one in measured),
        last=_floats(one.last if one.good else None for one in measured),
        ended=_floats(one.ended for one in measured),
        tpot=_floats(one.tpot() if one.good else None for one in measured),
        events=np.array([one.events for one in measured], dtype=np.int64),
        tokens=_floats(one.tokens for one in measured),
        prompt_tokens=_floats(one.prompt_tokens for one in measured),
        asked_tokens=np.array([one.asked_tokens for one in measured], dtype=np.int64),
        turn=np.array([one.turn for one in measured], dtype=np.int64),
        good=np.array([one.good for one in measured], dtype=np.bool_),
        gaps=np.array(gaps, dtype=np.float64) * 1e-6,
        gap_owner=np.array(owners, dtype=np.int64),
        errors=dict(Counter(one.error or "" for one in failed).most_common()),
        messages={one.error or "": one.message for one in reversed(failed)},
        counted_here=sum(one.counted_here for one in good),
        cached_tokens=sum(one.cached_tokens or 0 for one in good),
        not_done=sum(not one.done for one in good),
        fresh_tries=sum(one.fresh_try for one in measured),
        retry_after=sum(one.retry_after is not None for one in measured),
        warm_end=max((one.ended for one in everything if one.warm), default=0.0),
        all_begun=_floats(one.begun for one in everything),
        all_ended=_floats(one.ended for one in everything),
    )


def _floats(values: Iterable[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
