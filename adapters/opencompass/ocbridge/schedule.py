"""One process has imported OpenCompass; this forks it into processes that infer and processes that score.

Inference runs in as many processes as there are cores (it is bound by one interpreter's speed), all sharing one
semaphore of requests in flight. A unit is scored as soon as its answers are there. A process that dies takes with it
only the unit that kills it: its units are tried again, each in a process of its own.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import selectors
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from .infer import Inference, Tokens, teller
from .score import score
from .units import Json, Unit

LOADING = 3
"""Units whose number of rows is not known yet, per process: enough to overlap loading with asking."""
BATCH = 16
"""Units that one scoring process takes at most."""
TRIES = 2
QUIET_S = 2.0
"""After so long without a word from any process, what is known is written down all the same."""


@dataclass
class _Child:
    pid: int
    kind: str
    replies: int
    """File descriptor of what it tells."""
    units: list[int]
    inbox: int | None = None
    """File descriptor of its orders; None where it gets none any more."""
    unread: bytes = b""
    at: int | None = None
    """The unit that a scoring process is at."""
    alone: bool = False

    def order(self, index: int) -> None:
        self.units.append(index)
        with contextlib.suppress(BrokenPipeError):  # it has died; what it had to do is known
            os.write(self.inbox or -1, b"%d\n" % index)

    def dismiss(self) -> None:
        """It ends when it has done what it was ordered to."""
        if self.inbox is not None:
            os.close(self.inbox)
            self.inbox = None


@dataclass
class Schedule:
    models: Sequence[Json]
    units: Sequence[Unit]
    work_dir: str
    concurrency: int
    on_change: Callable[[], None]
    cores: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))

    def __post_init__(self) -> None:
        self._tokens: Tokens = multiprocessing.get_context("fork").Semaphore(self.concurrency)
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, _Child] = {}
        self._to_infer = deque(index for index, unit in enumerate(self.units) if unit.open)
        self._to_retry: deque[int] = deque()
        self._to_score: deque[int] = deque()

    def run(self) -> None:
        """Returns when every unit is done or failed."""
        while any(unit.open for unit in self.units):
            self._start_children()
            for key, _ in self._selector.select(QUIET_S):
                self._heard(self._children[key.fd])
            self.on_change()
        self._dismiss()

    def _start_children(self) -> None:
        wanted = min(self.cores, self.concurrency, len(self._to_infer) + len(self._of_kind("infer")))
        while self._to_infer and len(self._of_kind("infer")) < wanted:
            self._fork_inference()
        while self._to_retry and not any(child.alone for child in self._of_kind("infer")):
            self._send(self._fork_inference(alone=True), self._to_retry.popleft())
        for child in self._of_kind("infer"):
            self._feed(child)
        while self._to_score and len(self._of_kind("score")) < self.cores:
            self._fork_scoring()

    def _feed(self, child: _Child) -> None:
        """Gives a process its next units while few of its requests are waiting."""
        while self._to_infer and not child.alone and self._has_room(child):
            self._send(child, self._to_infer.popleft())
        if not self._to_infer and not (child.alone and child.units):
            child.dismiss()

    def _has_room(self, child: _Child) -> bool:
        known = [unit for unit in map(self.units.__getitem__, child.units) if unit.total is not None]
        waiting = sum((unit.total or 0) - unit.done for unit in known)
        return waiting < 2 * self.concurrency and len(child.units) - len(known) < LOADING

    def _send(self, child: _Child, index: int) -> None:
        unit = self.units[index]
        unit.state, unit.tries, unit.done = "infer", unit.tries + 1, 0
        child.order(index)

    def _heard(self, child: _Child) -> None:
        told = os.read(child.replies, 65536)
        if not told:
            self._gone(child)
            return
        *lines, child.unread = (child.unread + told).split(b"\n")
        for line in lines:
            self._take(child, json.loads(line))

    def _take(self, child: _Child, message: Json) -> None:
        index = message["unit"]
        unit = self.units[index]
        unit.total = message.get("total", unit.total)
        unit.done = message.get("done", unit.done)
        if "began" in message:
            unit.state, child.at = "score", index
        if "ended" in message:
            child.units.remove(index)
            child.at = None
            self._ended(index, message["ended"], message["error"])

    def _ended(self, index: int, stage: str, error: str) -> None:
        unit = self.units[index]
        if error:
            unit.fail(stage, error)
        elif stage == "infer":
            unit.state, unit.done = "score", unit.total or unit.done
            self._to_score.append(index)
        else:
            unit.state = "done"

    def _gone(self, child: _Child) -> None:
        """The process has ended; whatever it had not finished is tried again or failed."""
        self._selector.unregister(child.replies)
        del self._children[child.replies]
        os.close(child.replies)
        child.dismiss()
        _, status = os.waitpid(child.pid, 0)
        how = _how(os.waitstatus_to_exitcode(status))
        if child.kind == "score":
            self._score_again(child, how)
        else:
            self._infer_again(child, how)

    def _score_again(self, child: _Child, how: str) -> None:
        for index in child.units:
            if index == child.at or child.at is None:
                self.units[index].fail("score", how)
            else:
                self._to_score.append(index)

    def _infer_again(self, child: _Child, how: str) -> None:
        if child.units:
            for _ in range(self.concurrency):  # requests that it had in flight never give their tokens back
                self._tokens.release()
        for index in child.units:
            if self.units[index].tries >= TRIES:
                self.units[index].fail("infer", how)
            else:
                self._to_retry.append(index)

    def _fork_inference(self, alone: bool = False) -> _Child:
        ours, theirs = os.pipe()

        def work(reply: TextIO) -> None:
            os.close(theirs)
            inference = Inference(self.models, self.units, self.work_dir, self._tokens, teller(reply))
            with os.fdopen(ours, encoding="utf-8") as inbox:
                inference.serve(inbox)

        child = self._fork("infer", work)
        os.close(ours)
        child.inbox, child.alone = theirs, alone
        return child

    def _fork_scoring(self) -> None:
        indices = [self._to_score.popleft() for _ in range(min(BATCH, len(self._to_score)))]
        child = self._fork("score", lambda reply: score(self.models, self.units, indices, self.work_dir, teller(reply)))
        child.units = list(indices)

    def _fork(self, kind: str, work: Callable[[TextIO], None]) -> _Child:
        ours, theirs = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            _become(work, ours, theirs, [child.inbox for child in self._children.values()])
        os.close(theirs)
        child = _Child(pid, kind, ours, [])
        self._children[ours] = child
        self._selector.register(child.replies, selectors.EVENT_READ)
        return child

    def _of_kind(self, kind: str) -> list[_Child]:
        return [child for child in self._children.values() if child.kind == kind]

    def _dismiss(self) -> None:
        for child in self._children.values():
            child.dismiss()
            os.waitpid(child.pid, 0)


def _become(work: Callable[[TextIO], None], ours: int, theirs: int, inboxes: Sequence[int | None]) -> None:
    """The forked process: does its work and exits, whatever happens."""
    code = 1
    try:
        os.close(ours)
        for inbox in inboxes:
            if inbox is not None:
                os.close(inbox)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with os.fdopen(theirs, "w", encoding="utf-8") as reply:
            work(reply)
        code = 0
    except BaseException:  # noqa: BLE001 - nothing of the parent's may run on in here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _how(code: int) -> str:
    if code < 0:
        return f"its process was killed by signal {-code} ({signal.Signals(-code).name})"
    return f"its process ended with exit code {code} in the middle"
