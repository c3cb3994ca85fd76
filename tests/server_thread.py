"""A ``FaultServer`` in a thread with a loop of its own, for tests of what is called from synchronous code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from fault_server import FaultServer


class ServerThread:
    def __init__(self, server: FaultServer) -> None:
        self.server = server
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def call(self, work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def stop(self) -> None:
        """As if the server was killed."""
        self.call(self.server.stop())

    def restart(self) -> None:
        self.call(self.server.restart())

    def stop_after(self, requests: int) -> None:
        """Kills the server when it has been asked so often."""

        async def watch() -> None:
            while len(self.server.journal) < requests:
                await asyncio.sleep(0.005)
            await self.server.stop()

        asyncio.run_coroutine_threadsafe(watch(), self.loop)


@contextmanager
def serving(server: FaultServer) -> Iterator[ServerThread]:
    thread = ServerThread(server)
    thread._thread.start()
    thread.restart()
    try:
        yield thread
    finally:
        thread.stop()
        thread.loop.call_soon_threadsafe(thread.loop.stop)
        thread._thread.join(10)
        thread.loop.close()
