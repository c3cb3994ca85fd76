"""The way out of a room without a network: ports of its own loopback that lead to Unix sockets from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence

_CHUNK = 1 << 16
_BACKLOG = 4096
_PAUSE_S = 0.001
_LONGEST_PAUSE_S = 0.05


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
    turn, under_way = asyncio.Lock(), set[asyncio.Task[None]]()

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with turn:
                connected = await _connected(path)
            outside = await asyncio.open_unix_connection(sock=connected)
        except OSError as error:
            sys.stderr.write(f"sandbox: {path}: {error.strerror}\n")
            writer.close()
            return
        with contextlib.closing(writer), contextlib.closing(outside[1]):
            await asyncio.gather(_copy(reader, outside[1]), _copy(outside[0], writer))

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The loop itself does not hold a task whose connection is quiet: it would be collected as garbage.
        task = asyncio.create_task(through(reader, writer))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    return await asyncio.start_server(begin, "127.0.0.1", port, backlog=_BACKLOG)


async def _connected(path: str) -> socket.socket:
    """A connection, as soon as the server has a place in its queue. Raises OSError where there is no server.

    asyncio takes a full queue for a connection under way, as it would be with TCP, and loses it.
    """
    connection, pause_s = socket.socket(socket.AF_UNIX), _PAUSE_S
    try:
        connection.setblocking(False)
        while True:
            try:
                connection.connect(path)
                return connection
            except BlockingIOError:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    except BaseException:
        connection.close()
        raise


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one side is done; its end is passed on."""
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
