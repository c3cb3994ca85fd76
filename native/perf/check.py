"""What this machine can measure: a few loads against the stand-in on loopback, beside what that knows to be true."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from bridge.native.perf.columns import Columns, columns
from bridge.native.perf.load import Driver
from bridge.native.perf.prompts import Prompts
from bridge.native.perf.record import Record
from bridge.native.perf.schedule import Point
from bridge.native.perf.share import allow_files, be_quick
from bridge.native.perf.summary import summarise
from bridge.native.perf.watch import Watch, Watchful
from bridge.native.perf.wire import look_up
from bridge.perf_spec import PerfBlock

STREAMS = (1, 16, 64, 256)
GAP_S, TTFT_S, TOKENS = 0.01, 0.02, 40
RATE_STREAMS, RATE_REQUESTS = 64, 4000
SOON_S = 0.1


@dataclass(frozen=True)
class Checked:
    """One load, against the truth; times in seconds."""

    streams: int
    req_s: float
    """Reading the answers included, which a client may put off."""
    tok_s: float
    ttft_mean: float
    ttft_error: float
    """Mean of what was measured minus the server's own mean."""
    gap_p99_error: float | None
    late_p99: float | None
    cpu: float
    verdict: str
    reason: str
    clock: str
    events: int
    wall_s: float


def check() -> list[Checked]:
    """Loads of rising strength, and last as many short answers as it can take. About five seconds."""
    be_quick()
    allow_files()
    found = []
    with stand_in("--ttft", str(TTFT_S), "--gap", str(GAP_S), "--tokens", str(TOKENS), "--jitter", "0.2") as url:
        for streams in STREAMS:
            found.append(measured(url, streams, max(4, streams)))
        post(url, "/reset?ttft=0&gap=0&tokens=4&jitter=0")
        found.append(measured(url, RATE_STREAMS, RATE_REQUESTS))
    return found


@contextmanager
def stand_in(*arguments: str) -> Iterator[str]:
    """A stand-in in a process of its own; its URL."""
    argv = [sys.executable, "-m", "bridge.native.perf.steady", *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def truth(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url.removesuffix('/v1')}/truth", timeout=60) as answer:
        found: dict[str, Any] = orjson.loads(answer.read())
    return found


def post(url: str, path: str) -> None:
    request = urllib.request.Request(f"{url.removesuffix('/v1')}{path}", method="POST", data=b"")
    urllib.request.urlopen(request, timeout=20).read()


def measured(url: str, streams: int, requests: int) -> Checked:
    """One closed load; all of it is compared, so there is no warm-up."""
    post(url, "/reset")
    perf = PerfBlock.model_validate(
        {
            "load": [{"closed": [streams]}],
            "prompts": {"input_tokens": {"mean": 32}},
            "stop": {"requests": requests},
            "warmup": {"requests": 0},
        }
    )
    began = time.perf_counter()
    records, watch = run(url, Point("closed", streams), perf)
    took_s = time.perf_counter() - began
    known = columns(records)
    found = summarise(Point("closed", streams), known, [_noticed(watch)], perf, "")
    return _compared(streams, known, found, watch, truth(url), took_s)


def run(url: str, point: Point, perf: PerfBlock) -> tuple[list[Record], Watch]:
    """Drives one point within this process; its records, kept in memory."""
    records: list[Record] = []
    watchful, watch = Watchful(), Watch()

    async def drive() -> None:
        prompts = Prompts(perf.prompts, perf.output, "mock-model")
        prompts.prepare()
        driver = Driver(point, perf, prompts, await look_up(url, None), watch, watchful, records.append)
        await driver.prepare()
        await driver.run(time.perf_counter() + SOON_S)

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(watchful)) as runner:
        runner.run(drive())
    return records, watch


def _noticed(watch: Watch) -> dict[str, Any]:
    return {**watch.summary(), "counts": {"unsent": 0}}


def _compared(
    streams: int, known: Columns, found: dict[str, Any], watch: Watch, true: dict[str, Any], took_s: float
) -> Checked:
    values = {name: value["value"] for name, value in found["values"].items()}
    gap = values["gap.p99"]
    return Checked(
        streams=streams,
        req_s=len(known) / took_s,
        tok_s=values["output_tok_s.wall"] or 0.0,
        ttft_mean=float(known.ttft.mean()),
        ttft_error=float(known.ttft.mean()) - true["ttft"]["mean"],
        gap_p99_error=None if gap is None or true["gap"] is None else gap - true["gap"]["p99"],
        late_p99=values["client.late.p99"],
        cpu=values["client.cpu"] or 0.0,
        verdict=found["verdict"],
        reason=found["verdict_reason"],
        clock=found["clock"],
        events=watch.events,
        wall_s=watch.wall_s,
    )


def plain(checked: list[Checked]) -> list[dict[str, Any]]:
    return [asdict(one) for one in checked]
