"""A streaming server that knows the truth and can be odd or broken on purpose; runs in a thread.

It is bridge's stand-in (epoll, the kernel's times of arrival) with a script of its own: every fault is bytes and times.
Faults hit every so many-th request, so that how many there are is known.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bridge.native.perf.stand_in import Asked, StandIn, Step
from bridge.native.perf.steady import DONE, END, HEAD, chunk, delta, event


@dataclass
class Odd:
    """The script; everything off is a well-behaved server."""

    ttft: float = 0.01
    gap: float = 0.002
    tokens: int = 8
    """0: as many as are asked for."""
    per_event: int = 1
    """Tokens of each event."""
    usage: str = "end"
    """``end``, ``each`` or ``never``."""
    early_role: bool = False
    reasoning: int = 0
    """So many of the first tokens are reasoning."""
    line_end: bytes = b"\n"
    noise: bool = False
    """Comments, ``event:`` and ``id:`` lines."""
    split: bool = False
    """Each event leaves in two pieces."""
    joined: bool = False
    """Two events leave in one piece."""
    no_done: bool = False
    no_finish: bool = False
    empty: bool = False
    fail_every: int = 0
    """Every so many-th request: 500, and in between 429 with Retry-After."""
    cut_every: int = 0
    in_band_every: int = 0
    stall_every: int = 0
    close_after: bool = False
    """The server closes the connection after each answer, without saying so before."""
    hang_up_every: int = 0
    """Every so many-th request finds its connection closed: as where keep-alive has just ended."""
    die_after: int = 0
    """From this request on, all connections are closed at once."""
    slow_down: float = 0.0
    """Each request's first token comes so much later than the one's before."""
    asked: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Sequence[Step]:
        body = asked.fields()
        self.asked.append(body)
        number = len(self.asked)
        hangs_up = self.hang_up_every and number % self.hang_up_every == 0
        if hangs_up or (self.die_after and number >= self.die_after):
            return [Step(0, b"", close=True)]
        if self.fail_every and number % self.fail_every == 0:
            return [Step(self.ttft, self._refusal(number))]
        return list(self._answer(body, number))

    def _refusal(self, number: int) -> bytes:
        body = b'{"error": {"message": "overloaded", "type": "server_error"}}'
        busy = number // self.fail_every % 2
        status = b"429 Too Many Requests\r\nRetry-After: 7" if busy else b"500 Internal Server Error"
        return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)

    def _answer(self, body: dict[str, Any], number: int) -> Iterator[Step]:
        n = self.tokens or int(body["max_tokens"])
        at = self.ttft + self.slow_down * number
        events = 0 if self.empty else n // self.per_event
        head = HEAD
        if self.early_role:
            yield Step(0, HEAD + self._event(delta({"role": "assistant", "content": ""})))
            head = b""
        half = events // 2
        for count in range(events):
            data = self._token(count, n)
            if self.joined and count % 2 == 0 and count + 1 < events:
                head += data
                continue
            last = count == events - 1
            tail = self._ending(body, n) if last else b""
            yield from self._send(at, head + data, tail)
            head = b""
            broken = self._fault(number) if count + 1 >= half else None
            if broken is not None:
                yield from broken
                return
            at += self.gap
        if not events:
            yield Step(at, head + self._ending(body, 0))
        elif self.close_after:
            yield Step(at, b"", close=True)

    def _send(self, at: float, data: bytes, tail: bytes) -> Iterator[Step]:
        if not self.split:
            yield Step(at, data + tail, token=True)
            return
        middle = len(data) - 20
        yield Step(at - self.gap / 4, data[:middle])
        yield Step(at, data[middle:] + tail, token=True)

    def _fault(self, number: int) -> list[Step] | None:
        if self.cut_every and number % self.cut_every == 0:
            return [Step(0, b"", close=True)]
        if self.in_band_every and number % self.in_band_every == 0:
            return [Step(0, self._event({"error": {"message": "engine died", "code": 500}}) + END)]
        if self.stall_every and number % self.stall_every == 0:
            return [Step(3600, b"")]
        return None

    def _token(self, count: int, n: int) -> bytes:
        name = "reasoning_content" if count < self.reasoning else "content"
        value = delta({name: "tok " * self.per_event})
        if self.usage == "each":
            done = (count + 1) * self.per_event
            value["usage"] = {"prompt_tokens": 20, "completion_tokens": done, "total_tokens": 20 + done}
        return self._event(value)

    def _ending(self, body: dict[str, Any], n: int) -> bytes:
        parts = b"" if self.no_finish else self._event(delta({}, "length" if n else "stop"))
        if self.usage != "never":
            words = sum(len(str(m["content"]).split()) for m in body["messages"])
            usage = {"prompt_tokens": 12 + 2 * words, "completion_tokens": n, "total_tokens": 12 + 2 * words + n}
            parts += self._event({**delta({}), "choices": [], "usage": usage})
        if not self.no_done:
            parts += chunk(DONE.replace(b"\n", self.line_end))
        return parts + END

    def _event(self, value: object) -> bytes:
        data = event(value).replace(b"\n", self.line_end)
        if self.noise:
            data = b": ping" + self.line_end * 2 + b"event: message" + self.line_end + b"id: 7" + self.line_end + data
        return chunk(data)


@contextmanager
def streaming(odd: Odd | None = None, *, slots: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[StandIn]:
    """The server, in a thread, for the time of the block."""
    server = StandIn(odd or Odd(), slots=slots, tls=tls)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(5)
