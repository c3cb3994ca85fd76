"""Notices that an endpoint is dead, refuses the key or lacks the model, so that a run stops instead of failing on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bridge.endpoint.answer import EndpointDown, FailureKind
from bridge.endpoint.verdict import TryFailed

BROKEN_IN_A_ROW = 5
"""Broken connections in a row after which the endpoint is probed."""
BROKEN_FOR_S = 2.0
"""Or so long after the first of them, where there are few requests."""
PROBE_FOR_S = 3.0
"""How long to probe: it may be starting again."""
PROBE_PAUSE_S = 0.25
REFUSED_IN_A_ROW = 3
"""Refusals of the key, or of model and path, with no answer in between."""
FAILED_AT_FIRST = 8
"""Requests that failed while none was ever answered."""
FAILED_IN_A_ROW = 24
"""Requests that the server failed (5xx, no connection) after all their tries, with no answer in between."""

_GO_ON = "then run the same command again to go on where this stopped"
_HINTS: dict[FailureKind, str] = {
    "auth": f"the key is missing, wrong or used up; set the variable that api_key_env names, {_GO_ON}",
    "not-found": f"check base_url (most end in /v1) and the model's name, {_GO_ON}",
    "connection": "is the server running? Run the same command again to go on where this stopped",
}
_OTHER_HINT = f"look at the server's log, {_GO_ON}"


class Breaker:
    """Listens to what becomes of requests; ``down`` is set once the endpoint is given up, for good.

    ``probe`` asks the server for anything: None where it answered, else why it did not.
    """

    def __init__(self, where: str, probe: Callable[[], Awaitable[str | None]]) -> None:
        self.down = asyncio.Event()
        self.reason = ""
        self._where = where
        self._probe = probe
        self._ever_answered = False
        self._broken = self._failed = 0
        self._refused: dict[FailureKind, int] = {}
        self._probing: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether the endpoint is being probed: nothing should be sent before the ``verdict``."""
        return self._probing is not None

    async def verdict(self) -> None:
        """Waits until the probe has shown whether the endpoint is there. Raises ``EndpointDown`` where it is not."""
        if self._probing:
            await asyncio.shield(self._probing)
        self.check()

    def doubt(self) -> None:
        """Probes the endpoint, unless that is under way."""
        self._disarm()
        if not self._probing and not self.reason:
            self._probing = asyncio.create_task(self._probe_until_known())

    def check(self) -> None:
        """Raises ``EndpointDown`` where the endpoint is given up."""
        if self.reason:
            raise EndpointDown(self.reason)

    async def pause(self, seconds: float) -> None:
        """Sleeps; raises ``EndpointDown`` as soon as the endpoint is given up."""
        try:
            await asyncio.wait_for(self.down.wait(), seconds)
        except TimeoutError:
            return
        self.check()

    def answered(self) -> None:
        self._ever_answered = True
        if self._failed or self._refused or self._broken:
            self._failed = 0
            self._refused.clear()
            self._connected()

    def answered_before(self) -> None:
        """An answer of an earlier run was found: this endpoint is not one that never answers."""
        self._ever_answered = True

    def try_failed(self, failure: TryFailed) -> None:
        if failure.kind == "connection":
            self._connection_broke()
        elif failure.status:
            self._connected()
        if failure.kind in ("auth", "not-found"):
            self._refused[failure.kind] = self._refused.get(failure.kind, 0) + 1
            if self._refused[failure.kind] >= REFUSED_IN_A_ROW:
                self._give_up(failure)

    def finally_failed(self, failure: TryFailed) -> None:
        if failure.kind == "context-length":
            # Says something about the sample, nothing about the endpoint.
            return
        self._failed += 1
        if not self._ever_answered and self._failed >= FAILED_AT_FIRST:
            self._give_up(failure, f"none of the first {self._failed} requests was answered, the last: ")
        elif failure.kind in ("server-error", "connection") and self._failed >= FAILED_IN_A_ROW:
            self._give_up(failure, f"{self._failed} requests in a row failed, the last: ")

    def trip(self, reason: str) -> None:
        """Gives the endpoint up. ``reason``: one line with what to do."""
        if not self.reason:
            self.reason = reason
            self.down.set()

    def close(self) -> None:
        self._disarm()
        if self._probing:
            self._probing.cancel()

    def _give_up(self, failure: TryFailed, what: str = "") -> None:
        hint = _HINTS.get(failure.kind, _OTHER_HINT)
        self.trip(f"{self._where}: {what}{failure.message}; {hint}")

    def _connected(self) -> None:
        self._broken = 0
        self._disarm()

    def _connection_broke(self) -> None:
        self._broken += 1
        if self._broken >= BROKEN_IN_A_ROW:
            self.doubt()
        elif self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(BROKEN_FOR_S, self.doubt)

    def _disarm(self) -> None:
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None

    async def _probe_until_known(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + PROBE_FOR_S
        try:
            while self._broken and (why := await self._probe()):
                if self._broken and loop.time() >= until:
                    self.trip(f"{self._where}: {why}; {_HINTS['connection']}")
                    return
                await asyncio.sleep(PROBE_PAUSE_S)
            self._connected()
        finally:
            self._probing = None
