"""One request as it is written down: a line of the samples, with every time in seconds since the load point began."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(slots=True)
class Record:
    number: int
    warm: bool
    """Part of the warm-up: in no value."""
    planned: float | None
    """When it was to be sent; None of a closed loop."""
    begun: float
    """When sending began."""
    sent: float | None
    """When the kernel had taken the last byte: what lies between is upload."""
    connect_s: float = 0.0
    """Time for a connection of its own, before ``begun``; 0 where one was open."""
    refill_s: float | None = None
    """Of a closed loop: since the same user's previous answer."""
    first: float | None = None
    first_output: float | None = None
    """As ``first``, but reasoning does not count."""
    last: float | None = None
    ended: float = 0.0
    """When the client knew the end; user-space time."""
    events: int = 0
    gaps_us: array[int] = field(default_factory=lambda: array("l"))
    prompt_tokens: int | None = None
    tokens: int | None = None
    """Of the answer, as the server counts."""
    counted_here: bool = False
    """The server did not count: ``tokens`` are a tokenizer's, of the whole text."""
    first_tokens: int | None = None
    cached_tokens: int | None = None
    finish_reason: str | None = None
    error: str | None = None
    """Kind of failure; None of a good request."""
    message: str = ""
    retry_after: str | None = None
    fresh_try: bool = False
    """The server had closed the connection between two requests; this is the second try, on a new one."""
    session: int = 0
    turn: int = 0
    asked_tokens: int = 0
    done: bool = True
    """``[DONE]`` was seen."""

    @property
    def good(self) -> bool:
        return self.error is None

    def tpot(self) -> float | None:
        before = self.first_tokens or 1
        if self.first is None or self.last is None or self.tokens is None or self.tokens <= before:
            return None
        return (self.last - self.first) / (self.tokens - before)

    def line(self, model: str, subset: str) -> bytes:
        """A ``SampleRecord`` of the report's schema; what only performance has is in its metadata."""
        ttft = None if self.first is None else self.first - self.begun
        e2e = None if self.last is None else self.last - self.begun
        scores = {"ttft": ttft, "tpot": self.tpot(), "e2e": e2e} if self.good else {}
        usage = {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.tokens}
        metadata: dict[str, Any] = {
            "warm": self.warm or None,
            "planned_s": _rounded(self.planned),
            "begun_s": _rounded(self.begun),
            "sent_s": _rounded(self.sent),
            "connect_s": _rounded(self.connect_s) or None,
            "refill_s": _rounded(self.refill_s),
            "first_s": _rounded(self.first),
            "first_output_s": _rounded(self.first_output) if self.first_output != self.first else None,
            "last_s": _rounded(self.last),
            "ended_s": _rounded(self.ended),
            "events": self.events,
            "gaps_us": self.gaps_us.tolist(),
            "first_tokens": self.first_tokens,
            "counted_here": self.counted_here or None,
            "cached_tokens": self.cached_tokens,
            "asked_tokens": self.asked_tokens,
            "kind": self.error,
            "retry_after": self.retry_after,
            "fresh_try": self.fresh_try or None,
            "session": self.session or None,
            "turn": self.turn or None,
            "done": None if self.done else False,
        }
        line = {
            "model": model,
            "dataset": "perf",
            "subset": subset,
            "sample_id": str(self.number),
            "input": "",
            "response": None,
            "scores": {name: round(value, 7) for name, value in scores.items() if value is not None},
            "error": None if self.good else f"{self.error}: {self.message}".rstrip(": "),
            "usage": {name: value for name, value in usage.items() if value is not None} or None,
            "latency_s": _rounded(e2e),
            "finish_reason": self.finish_reason,
            "metadata": {name: value for name, value in metadata.items() if value is not None},
        }
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def read_line(line: bytes) -> Record:
    """What ``Record.line`` wrote. Raises ValueError, KeyError for anything else."""
    raw = orjson.loads(line)
    meta, usage = raw["metadata"], raw.get("usage") or {}
    first = meta.get("first_s")
    return Record(
        number=int(raw["sample_id"]),
        warm=meta.get("warm", False),
        planned=meta.get("planned_s"),
        begun=meta["begun_s"],
        sent=meta.get("sent_s"),
        connect_s=meta.get("connect_s", 0.0),
        refill_s=meta.get("refill_s"),
        first=first,
        first_output=meta.get("first_output_s", first),
        last=meta.get("last_s"),
        ended=meta["ended_s"],
        events=meta["events"],
        gaps_us=array("l", meta["gaps_us"]),
        prompt_tokens=usage.get("prompt_tokens"),
        tokens=usage.get("completion_tokens"),
        first_tokens=meta.get("first_tokens"),
        counted_here=meta.get("counted_here", False),
        cached_tokens=meta.get("cached_tokens"),
        finish_reason=raw.get("finish_reason"),
        error=meta.get("kind"),
        message=(raw.get("error") or "").partition(": ")[2],
        retry_after=meta.get("retry_after"),
        fresh_try=meta.get("fresh_try", False),
        session=meta.get("session", 0),
        turn=meta.get("turn", 0),
        asked_tokens=meta.get("asked_tokens", 0),
        done=meta.get("done", True),
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 7)
