"""The script of a well-behaved streaming server, and the stand-in as a program that plays it.

``python -m bridge.native.perf.steady --ttft 0.05 --gap 0.01 --tokens 64`` prints its URL. ``GET /truth`` says what it
did; ``POST /reset?ttft=0.1`` forgets that, and changes settings.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from urllib.parse import parse_qsl

import orjson

from bridge.native.perf.stand_in import Asked, StandIn, Step

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def chunk(data: bytes) -> bytes:
    """HTTP's chunked framing."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(value: object) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


@dataclass
class Steady:
    """The script of a well-behaved server: ``tokens`` events, ``gap`` apart, the first after ``ttft``."""

    ttft: float = 0.05
    gap: float = 0.01
    tokens: int = 64
    """0: as many as ``max_tokens`` says."""
    jitter: float = 0.0
    """Standard deviation of both times, as a share of them."""
    _seed: random.Random = field(default_factory=lambda: random.Random(7))

    def __call__(self, asked: Asked) -> list[Step]:
        n = self.tokens or int(str(asked.fields().get("max_tokens") or 16))
        at, steps = self._near(self.ttft), []
        for number in range(n):
            data = _FIRST if not number else _MORE
            steps.append(Step(at, data if number < n - 1 else data + ending(n), token=True))
            at += self._near(self.gap)
        return steps

    def _near(self, seconds: float) -> float:
        return seconds * max(0.0, self._seed.gauss(1, self.jitter)) if self.jitter else seconds

    def change(self, path: str) -> bytes | None:
        """``/reset?gap=0.02``."""
        known = {one.name: type(getattr(self, one.name)) for one in fields(self) if not one.name.startswith("_")}
        for name, value in parse_qsl(path.partition("?")[2]):
            setattr(self, name, known[name](value))
        return b"{}"


def delta(fields_of_delta: dict[str, object], finish_reason: str | None = None) -> dict[str, object]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "mock-model",
        "choices": [{"index": 0, "delta": fields_of_delta, "finish_reason": finish_reason}],
    }


def ending(tokens: int, prompt_tokens: int = 20) -> bytes:
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": tokens, "total_tokens": prompt_tokens + tokens}
    return (
        chunk(event(delta({}, "stop"))) + chunk(event({**delta({}), "choices": [], "usage": usage})) + chunk(DONE) + END
    )


_MORE = chunk(event(delta({"content": "tok "})))
_FIRST = HEAD + _MORE


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("ttft", 0.05), ("gap", 0.01), ("jitter", 0.0)):
        parser.add_argument(f"--{name}", type=float, default=default)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--slots", type=int, default=0)
    given = parser.parse_args(arguments)
    steady = Steady(given.ttft, given.gap, given.tokens, given.jitter)
    server = StandIn(steady, slots=given.slots)

    def control(path: str) -> bytes | None:
        if not path.startswith("/reset"):
            return None
        server.forget()
        return steady.change(path)

    server.control = control
    sys.stdout.write(f"{server.url}\n")
    sys.stdout.flush()
    gc.freeze()
    gc.disable()
    server.run()


if __name__ == "__main__":
    main(sys.argv[1:])
