"""Listening until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import secrets
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from aiohttp import web

from bridge.errors import Problem, SpecError
from bridge.view.guard import Door, is_loopback
from bridge.view.library import Library
from bridge.view.server import Server
from bridge.view.work import Work, cache_folder


def serve(folders: Sequence[Path], host: str, port: int, tell: Callable[[str], None]) -> None:
    """Tells the address, with a token where the host is not loopback. Raises SpecError where it cannot listen."""
    token = None if is_loopback(host) else secrets.token_urlsafe(24)
    asyncio.run(_serve(Server(Library(folders), Work(cache_folder())), Door(host, token), port, tell))


async def _serve(server: Server, door: Door, port: int, tell: Callable[[str], None]) -> None:
    runner = web.AppRunner(server.app(door), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, door.host, port)
        try:
            await site.start()
        except OSError as error:
            raise SpecError([_cannot_listen(error, door.host, port)]) from None
        tell(_address(door, runner.addresses[0][1]))
        await _until_stopped()
    finally:
        await runner.cleanup()


def _cannot_listen(error: OSError, host: str, port: int) -> Problem:
    taken = error.errno == errno.EADDRINUSE
    why = "something else listens there" if taken else error.strerror or str(error)
    return Problem("--port" if taken else "--host", "", f"{host}:{port}: {why}", "--port 0 takes one that is free")


def _address(door: Door, port: int) -> str:
    name = f"[{door.host}]" if ":" in door.host else door.host
    return f"http://{name}:{port}/" + (f"?token={door.token}" if door.token else "")


async def _until_stopped() -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
