"""What came over the wire → a record: times on one clock, what the answer was, and whether it is a good one."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import orjson

from bridge.native.perf.prompts import Shot
from bridge.native.perf.record import Record
from bridge.native.perf.sse import Answer, error_text, read_stream
from bridge.native.perf.watch import Watch
from bridge.native.perf.wire import Exchange

STALL = "stall"
DRAIN = "drain"


@dataclass(frozen=True)
class Rules:
    """What the digest of an answer needs to know of the test."""

    start: float
    """The point's beginning on the clock of ``perf_counter``."""
    exact: bool = False
    """Answers shorter than asked for are failures."""
    count: Callable[[str], int] | None = None
    """A tokenizer's count, for servers that do not count."""


def digest(record: Record, exchange: Exchange, shot: Shot, watch: Watch, rules: Rules) -> Iterator[Answer]:
    """Fills the record in; yields now and then, last when it is done."""
    start = rules.start
    times = _arrivals(exchange, watch)
    record.begun, record.sent = exchange.begun - start, (exchange.sent - start if exchange.sent else None)
    answer, keep = Answer(), bool(record.session) or rules.count is not None
    if exchange.status == 200:
        for answer in read_stream(exchange.pieces, times, exchange.read_at, keep_text=keep):
            yield answer
    _fill(record, answer, start)
    if record.tokens is None and rules.count is not None and record.events:
        record.tokens, record.counted_here = rules.count("".join([*answer.reasoning, *answer.text])), True
    for number, events in answer.shared:
        watch.take_shared(events, exchange.read_at[number] - exchange.unseen_since[number])
    watch.events += record.events
    record.error, record.message = _failure(record, exchange, answer, shot, exact=rules.exact)
    if b"retry-after" in exchange.headers:
        record.retry_after = exchange.headers[b"retry-after"].decode("latin1")[:40]
    yield answer


def _arrivals(exchange: Exchange, watch: Watch) -> list[float]:
    """The kernel's times; the time of the read where it gave none."""
    times, late, seen = [], [], 0.0
    for came, read_at in zip(watch.clock.arrivals(exchange.stamps, exchange.read_at), exchange.read_at, strict=True):
        if came is None:
            came = read_at
            watch.unstamped += 1
        else:
            late.append(read_at - came)
        # A stream's packets cannot overtake each other.
        if came > seen:
            seen = came
        times.append(seen)
    watch.late.extend(late)
    return times


def _fill(record: Record, answer: Answer, start: float) -> None:
    times = answer.times
    record.events = len(times)
    if times:
        record.first, record.last = times[0] - start, times[-1] - start
        record.first_output = None if answer.first_output is None else answer.first_output - start
        record.gaps_us = array("l", [round(1e6 * (b - a)) for a, b in pairwise(times)])
    record.prompt_tokens, record.tokens = answer.prompt_tokens, answer.completion_tokens
    record.first_tokens, record.cached_tokens = answer.first_tokens, answer.cached_tokens
    record.finish_reason, record.done = answer.finish_reason, answer.done


def _failure(record: Record, exchange: Exchange, answer: Answer, shot: Shot, *, exact: bool) -> tuple[str | None, str]:
    if exchange.status not in (0, 200):
        return f"http_{exchange.status}", _body_text(exchange)
    if not exchange.complete and not answer.done:
        kind = exchange.lost if exchange.lost in (STALL, DRAIN) else "cut"
        return kind, f"{exchange.lost or 'ended early'}, after {record.events} events"
    if answer.error is not None:
        return "in_band", answer.error
    if not record.events:
        return "empty", "the answer holds no text"
    if answer.finish_reason is None:
        return "no_finish", "the stream ended without a finish_reason"
    if exact and record.tokens is not None and record.tokens < shot.max_tokens:
        return "short", f"{record.tokens} of {shot.max_tokens} tokens"
    return None, ""


def _body_text(exchange: Exchange) -> str:
    body = b"".join(exchange.pieces)[:20_000]
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return " ".join(body.decode(errors="replace").split())[:200]
    return error_text(value.get("error", value) if isinstance(value, dict) else value)
