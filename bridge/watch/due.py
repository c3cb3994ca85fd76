"""Which checkpoints are to be evaluated now."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bridge.finetuned.training import Checkpoint, Training

SETTLED_S = 2.0
"""A checkpoint in which nothing was written for so long has come to rest."""


@dataclass(frozen=True)
class Wanted:
    every: int = 1
    """Each so many-th checkpoint, and the last one whatever its number."""
    only_last: bool = False
    """Nothing but the last one, once the training is over."""


def due(training: Training, wanted: Wanted, done: Collection[str], *, over: bool) -> Sequence[Checkpoint]:
    """In the order of their steps, without those that are ``done``; ``over``: no further checkpoint will come."""
    settled = [one for one in training.checkpoints if over or _quiet_s(one) >= SETTLED_S]
    last = settled[-1:] if over else []
    chosen = [] if wanted.only_last else _every(settled, training, wanted.every)
    return [one for one in settled if (one in chosen or one in last) and one.name not in done]


def _every(settled: Sequence[Checkpoint], training: Training, every: int) -> list[Checkpoint]:
    """By step and not by place: the trainer deletes old checkpoints, which moves the places."""
    if every == 1 or not settled:
        return list(settled)
    interval = _interval(training)
    return [one for one in settled if one.step % (every * interval) == 0]


def _interval(training: Training) -> int:
    steps = [one.step for one in training.checkpoints]
    gaps = [later - earlier for earlier, later in zip([0, *steps], steps, strict=False)]
    return max(1, min(gaps))


def _quiet_s(one: Checkpoint) -> float:
    try:
        return time.time() - max(path.stat().st_mtime for path in (one.path, *one.path.iterdir()))
    except OSError:
        return 0.0
