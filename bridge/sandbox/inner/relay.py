"""The way out of a room without a network: ports of its own loopback that lead to Unix sockets from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence

_CHUNK = 1 << 16
_BACKLOG = 4096


def open_doors(doors: Sequence[tuple[str, int]]) -> None:
    """Returns when the doors are open; a process of its own keeps them so until the room is gone."""
    ready, tell = os.pipe()
    if os.fork():
        os.close(tell)
        if not os.read(ready, 1):
            raise SystemExit("the sandbox's way to the gateway could not be opened")
        os.close(ready)
        return
    os.close(ready)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        asyncio.run(_serve(doors, tell))
    finally:
        os._exit(1)


async def _serve(doors: Sequence[tuple[str, int]], tell: int) -> None:
    servers = [await _door(path, port) for path, port in doors]
    os.write(tell, b"1")
    os.close(tell)
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _door(path: str, port: int) -> asyncio.Server:
    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            outside = await asyncio.open_unix_connection(path)
        except OSError as error:
            sys.stderr.write(f"sandbox: {path}: {error.strerror}\n")
            writer.close()
            return
        with contextlib.closing(writer), contextlib.closing(outside[1]):
            await asyncio.gather(_copy(reader, outside[1]), _copy(outside[0], writer))

    return await asyncio.start_server(through, "127.0.0.1", port, backlog=_BACKLOG)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one side is done; its end is passed on."""
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
