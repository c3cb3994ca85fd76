"""What is done to a run. Each disturbance says how the run may end, and whether the same command can finish it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fault_server import Fault, Mode
from rig import CONCURRENCY, LATENCY_S, Ended, Rig, ended

Json = dict[str, Any]
OK = Fault(latency_s=LATENCY_S)


@dataclass(frozen=True)
class Disturbance:
    name: str
    said: str
    """For the table."""
    act: Callable[[Rig], Ended]
    exits: frozenset[int]
    """How the disturbed invocation may end."""
    curable: bool = True
    """Whether the same command completes the run when the cause is gone."""
    again: int = 0
    """How many requests may have been answered without bridge having the answer: those in flight when it was killed."""


def luck(body: Json, *more: object) -> float:
    """In [0, 1), the same for the same request."""
    text = json.dumps([body, *more], sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


def errors(share: float) -> Callable[[Rig], Ended]:
    """This share of all tries fails: 500, 429 without and 429 with a Retry-After."""

    def act(rig: Rig) -> Ended:
        tries: Counter[str] = Counter()
        kinds = (Fault(status=500), Fault(status=429), Fault(status=429, retry_after="0.2"))

        def rule(body: Json) -> Fault:
            key = json.dumps(body, sort_keys=True)
            tries[key] += 1
            drawn = luck(body, tries[key])
            return kinds[int(drawn / share * len(kinds))] if drawn < share else OK

        rig.server.rule = rule
        return rig.to_its_end()

    return act


def bad_answers(mode: Mode) -> Callable[[Rig], Ended]:
    """A fifth of the requests never gets anything else."""

    def act(rig: Rig) -> Ended:
        rig.server.rule = lambda body: Fault(mode=mode, latency_s=LATENCY_S) if luck(body) < 0.2 else OK
        rig.spec = {"max_retries": 1}
        return rig.to_its_end()

    return act


def killed_half_way(rig: Rig) -> Ended:
    return rig.disturbed(lambda _: rig.thread.stop())


def dead_from_the_start(rig: Rig) -> Ended:
    rig.thread.stop()
    return rig.to_its_end()


def hangs(rig: Rig) -> Ended:
    rig.from_half_on(Fault(mode="hang"))
    rig.spec = {"max_retries": 1, "request_timeout_s": 2}
    return rig.to_its_end()


def trickles(rig: Rig) -> Ended:
    rig.server.rule = lambda body: Fault(mode="trickle", latency_s=0.001) if luck(body) < 0.2 else OK
    return rig.to_its_end()


def revoked(rig: Rig) -> Ended:
    rig.from_half_on(Fault(status=401, message="this key was revoked"))
    return rig.to_its_end()


def too_long(rig: Rig) -> Ended:
    message = "This model's maximum context length is 16 tokens"
    bad = Fault(status=400, code="context_length_exceeded", message=message)
    rig.server.rule = lambda body: bad if luck(body) < 0.2 else OK
    return rig.to_its_end()


def signalled(number: signal.Signals) -> Callable[[Rig], Ended]:
    return lambda rig: rig.disturbed(lambda bridge: bridge.send_signal(number))


def job_killed(rig: Rig) -> Ended:
    return rig.disturbed(lambda _: _kill_jobs(rig))


def store_damaged(rig: Rig) -> Ended:
    """Interrupted, then a page in the middle of the file of requests is overwritten."""
    first = rig.disturbed(lambda bridge: bridge.send_signal(signal.SIGINT))
    store = rig.run / "requests.sqlite"
    if not store.exists():
        return first
    for part in ("-wal", "-shm"):
        store.with_name(store.name + part).unlink(missing_ok=True)
    content = bytearray(store.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    store.write_bytes(content)
    return first


def store_half_written(rig: Rig) -> Ended:
    first = rig.disturbed(lambda bridge: bridge.send_signal(signal.SIGKILL))
    store = rig.run / "requests.sqlite"
    os.truncate(store, store.stat().st_size // 2)
    return first


def two_at_once(rig: Rig) -> Ended:
    """The second is refused; the first must not notice."""
    rig.server.rule = lambda _: Fault(latency_s=0.5)
    first = rig.start()
    while not rig.server.journal and first.poll() is None:
        time.sleep(0.005)
    rig.onset = time.monotonic()
    second = rig.to_its_end()
    done = ended(first)
    return second if done.exit_code == 0 else Ended(100 + done.exit_code, done.at, done.stderr)


def disk_full(rig: Rig) -> Ended:
    """A disk of its own that has room for the beginning of the run."""
    with_room(rig, "2m")
    (rig.run / ".lock").touch()
    free = os.statvfs(rig.run).f_bavail * os.statvfs(rig.run).f_bsize
    (rig.folder / "filler").symlink_to(rig.run / "jobs")
    bridge = rig.start()
    while len(rig.server.journal) < rig.subject.rows // 2 and bridge.poll() is None:
        time.sleep(0.005)
    rig.onset = time.monotonic()
    _fill(rig, free)
    return ended(bridge)


def read_only_disk(rig: Rig) -> Ended:
    with_room(rig, "32m")
    _mount("-o", "remount,ro", str(rig.run))
    return rig.to_its_end()


def clock_jumps(rig: Rig) -> Ended:
    """An hour ahead after a second, and two hours back after another, for bridge and its gateway."""
    folder = rig.folder / "clock"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import time as t\n"
        "true, since = t.time, t.monotonic()\n"
        "def time():\n"
        "    past = t.monotonic() - since\n"
        "    return true() + (3600 if 1 < past < 2 else -7200 if past >= 2 else 0)\n"
        "t.time = time\n"
    )
    rig.env = {"PYTHONPATH": str(folder)}
    return rig.to_its_end()


def slow_disk(rig: Rig) -> Ended:
    """Every write of the gateway's store takes a fifth of a second longer."""
    folder = rig.folder / "slow"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import sqlite3, time\n"
        "class Slow(sqlite3.Connection):\n"
        "    def executemany(self, *given):\n"
        "        time.sleep(0.2)\n"
        "        return super().executemany(*given)\n"
        "    def execute(self, sql, *given):\n"
        "        time.sleep(0.2 if sql.lstrip().upper().startswith(('INSERT', 'COMMIT')) else 0)\n"
        "        return super().execute(sql, *given)\n"
        "plain = sqlite3.connect\n"
        "sqlite3.connect = lambda *given, **more: plain(*given, **{'factory': Slow, **more})\n"
    )
    rig.env = {"PYTHONPATH": str(folder)}
    return rig.to_its_end()


def with_room(rig: Rig, size: str) -> None:
    rig.run.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(rig.run))


def unmounted(rig: Rig) -> None:
    if os.path.ismount(rig.run):
        subprocess.run(["umount", "--lazy", str(rig.run)], check=True)


def room_again(rig: Rig) -> None:
    if os.path.ismount(rig.run):
        _mount("-o", "remount,rw,size=256m", str(rig.run))
        (rig.run / "jobs" / "filler").unlink(missing_ok=True)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


def _fill(rig: Rig, size: int) -> None:
    try:
        with (rig.run / "jobs" / "filler").open("wb", buffering=0) as file:
            while size > 0:
                size -= file.write(b"\0" * 65536)
    except OSError:
        return


def _kill_jobs(rig: Rig) -> None:
    """Every process that works in the folder of a job."""
    jobs = str(rig.run / "jobs")
    for process in os.scandir("/proc"):
        if process.name.isdigit():
            try:
                if os.readlink(f"/proc/{process.name}/cwd").startswith(jobs):
                    os.kill(int(process.name), signal.SIGKILL)
            except OSError:
                continue


def _one_of(*codes: int) -> frozenset[int]:
    return frozenset(codes)


DISTURBANCES = {
    one.name: one
    for one in (
        Disturbance("errors-5", "5 % of tries 500 or 429, with and without Retry-After", errors(0.05), _one_of(0)),
        Disturbance("errors-30", "30 % of tries 500 or 429", errors(0.3), _one_of(0)),
        Disturbance("killed", "server killed half-way", killed_half_way, _one_of(7), again=CONCURRENCY),
        Disturbance("dead", "server dead from the start", dead_from_the_start, _one_of(4)),
        Disturbance("hangs", "server hangs from half-way on (time limit 2 s)", hangs, _one_of(7)),
        Disturbance("trickle", "a fifth of the answers byte by byte", trickles, _one_of(0)),
        Disturbance("garbage", "HTML in place of a fifth of the answers", bad_answers("garbage"), _one_of(7)),
        Disturbance("truncated", "a fifth of the answers cut short", bad_answers("truncated"), _one_of(7)),
        Disturbance("empty", "a fifth of the bodies empty", bad_answers("empty"), _one_of(7)),
        Disturbance("null", "a fifth of the answers null", bad_answers("null-content"), _one_of(7)),
        Disturbance("schema", "another JSON in place of a fifth", bad_answers("wrong-schema"), _one_of(7)),
        Disturbance("revoked", "401 from half-way on", revoked, _one_of(7)),
        Disturbance("too-long", "400 context length for a fifth of the rows", too_long, _one_of(7), curable=False),
        Disturbance("sigint", "SIGINT to bridge half-way", signalled(signal.SIGINT), _one_of(130), again=CONCURRENCY),
        Disturbance(
            "sigterm", "SIGTERM to bridge half-way", signalled(signal.SIGTERM), _one_of(130), again=CONCURRENCY
        ),
        Disturbance("sigkill", "SIGKILL to bridge half-way", signalled(signal.SIGKILL), _one_of(-9), again=CONCURRENCY),
        Disturbance("job-killed", "SIGKILL to the job half-way", job_killed, _one_of(5, 7), again=CONCURRENCY),
        Disturbance("disk-full", "the disk full half-way", disk_full, _one_of(5, 6, 7), again=CONCURRENCY),
        Disturbance("read-only", "the run directory read-only", read_only_disk, _one_of(6)),
        Disturbance("store-damaged", "a page of the store overwritten", store_damaged, _one_of(130), again=1000),
        Disturbance(
            "store-cut", "the store cut to its half after SIGKILL", store_half_written, _one_of(-9), again=1000
        ),
        Disturbance("two", "two bridges on one run directory", two_at_once, _one_of(6)),
        Disturbance("slow-disk", "each write of the store 0.2 s late", slow_disk, _one_of(0)),
        Disturbance("clock", "the clock jumps by an hour, there and back", clock_jumps, _one_of(0)),
    )
}
