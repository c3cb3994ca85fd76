"""One scoring process: a JSON line in, a JSON line out.  ``python -m bridge.native.scorers.worker LIMIT_S BENCHMARK…``.

    > {"benchmark": "gsm8k", "answer": "…", "sample": {…}}
    < {"extracted": "18", "scores": {"accuracy": 1.0}, "method": "boxed"}      or      < {"failed": "…"}

It says ``{"ready": true}`` once its libraries are loaded, and ends when its input does. Above its time limit it is
ended by an alarm that no library can put off; the pool, which watches the clock as well, starts another one.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
from dataclasses import asdict
from typing import BinaryIO

import orjson

from bridge.native.benchmark import Sample
from bridge.native.benchmarks import benchmark

MEMORY_LIMIT = 4 << 30
"""Bytes of address space; an expression that explodes fails alone."""


def main(argv: list[str]) -> int:
    limit_s, names = float(argv[0]), argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the engine ends its workers
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    replies = _own_stdout()
    for name in names:
        benchmark(name).scorer.prepare()
    _send(replies, {"ready": True})
    for line in sys.stdin.buffer:
        signal.alarm(math.ceil(limit_s) + 1)
        request = orjson.loads(line)
        reply = _score(request["benchmark"], request["answer"], Sample(**request["sample"]))
        signal.alarm(0)
        _send(replies, reply)
    return 0


def _own_stdout() -> BinaryIO:
    """Keeps stdout for replies; what libraries print goes to the log."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return replies


def _score(name: str, answer: str, sample: Sample) -> dict[str, object]:
    try:
        verdict = benchmark(name).scorer.at_length(answer, sample)
    except Exception as error:  # noqa: BLE001 - one answer's failure is its own
        return {"failed": f"{type(error).__name__}: {error}"[:500]}
    return asdict(verdict)


def _send(replies: BinaryIO, message: dict[str, object]) -> None:
    replies.write(orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")
    replies.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
