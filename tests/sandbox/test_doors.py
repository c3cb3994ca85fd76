"""The way out of a room: a port of its loopback that leads to a server outside, and to no other."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bridge.sandbox.inner import relay
from bridge.sandbox.room import Door, Limits, Room, command, interpreter

PORT = 18_080
INSIDE = f"""
import asyncio, json, socket
async def echo(n):
    reader, writer = await asyncio.open_connection("127.0.0.1", {PORT})
    sent = bytes([n % 251]) * (200_000 if n % 2 else 20)
    writer.write(sent)
    writer.write_eof()
    back = await reader.read()
    writer.close()
    return (n, len(sent), len(back)) if back != sent else None
async def main():
    return [lost for lost in await asyncio.gather(*(echo(n) for n in range(100))) if lost]
told = dict(lost=asyncio.run(main()))
for name, port in (("other", {PORT} + 1), ("ssh", 22)):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1)
        told[name] = "open"
    except OSError:
        told[name] = "closed"
try:
    socket.getaddrinfo("example.org", 80)
    told["names"] = "open"
except OSError:
    told["names"] = "closed"
print(json.dumps(told))
"""


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.read())
    await writer.drain()
    writer.close()


async def run(room: Room, *argv: str) -> tuple[int | None, str, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command(room, argv), stdout=pipe, stderr=pipe, env={"PATH": os.environ["PATH"]}
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("shows", ["system", "everything"])
async def test_a_hundred_connections_through_one_door(shows: str) -> None:
    with tempfile.TemporaryDirectory(prefix="bridge-") as folder:
        door = Door(Path(folder) / "gateway", PORT)
        server = await asyncio.start_unix_server(_echo, door.socket)
        async with server:
            room = Room(shows, doors=(door,))  # type: ignore[arg-type]
            code, out, err = await run(room, interpreter(), "-I", "-c", INSIDE)
    assert code == 0, err
    assert json.loads(out) == {"lost": [], "other": "closed", "ssh": "closed", "names": "closed"}, err


@contextmanager
def slow_to_accept(path: Path) -> Iterator[None]:
    """An echo whose queue is full with two, and which takes its time with each."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(1)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=echo, args=(connection,), daemon=True).start()
                time.sleep(0.005)

        accepting = threading.Thread(target=serve)
        accepting.start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join()


def echo(connection: socket.socket) -> None:
    with closing(connection):
        said = b""
        while chunk := connection.recv(1 << 16):
            said += chunk
        connection.sendall(said)


async def test_a_server_whose_queue_is_full_loses_no_connection() -> None:
    with tempfile.TemporaryDirectory(prefix="bridge-") as folder:
        door = Door(Path(folder) / "gateway", PORT)
        with slow_to_accept(door.socket):
            code, out, err = await run(Room("system", doors=(door,)), interpreter(), "-I", "-c", INSIDE)
    assert code == 0, err
    assert json.loads(out)["lost"] == [] and err == ""


async def test_a_connection_that_waits_for_its_answer_is_no_garbage() -> None:
    """The event loop forgets a client that says no more, and all that nobody else holds on to."""
    asked, go = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.read()
        asked.set()
        await go.wait()
        writer.write(said)
        writer.close()

    with tempfile.TemporaryDirectory(prefix="bridge-") as folder:
        path = str(Path(folder) / "gateway")
        async with await asyncio.start_unix_server(answer, path), await relay._door(path, 0) as door:
            reader, writer = await asyncio.open_connection(*door.sockets[0].getsockname())
            writer.write(b"x")
            writer.write_eof()
            await asked.wait()
            gc.collect()
            go.set()
            assert await reader.read() == b"x"
            writer.close()


@pytest.mark.parametrize("left", [False, True])
async def test_a_server_that_is_gone_is_a_closed_connection(left: bool) -> None:
    """Also where its socket is still there."""
    with tempfile.TemporaryDirectory(prefix="bridge-") as folder:
        door = Door(Path(folder) / "gone", PORT)
        if left:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(door.socket))
        ask = f"import socket\ns = socket.create_connection(('127.0.0.1', {PORT}), timeout=60)\nassert s.recv(1) == b''"
        code, _, err = await run(Room("system", doors=(door,)), interpreter(), "-I", "-c", ask)
    assert code == 0 and f"sandbox: {door.socket}: " in err


@pytest.mark.parametrize(
    ("limits", "script", "said"),
    [
        (Limits(memory_bytes=300 << 20), "x = bytearray(1 << 30)", "MemoryError"),
        (Limits(file_bytes=1000), "with open('/tmp/x', 'wb') as file:\n    file.write(b'x' * 2000)", "File too large"),
        (Limits(open_files=20), "files = [open('/dev/null') for _ in range(30)]", "Too many open files"),
        (Limits(cpu_s=1), "while True: pass", ""),
    ],
)
async def test_limits_of_a_room(limits: Limits, script: str, said: str) -> None:
    code, _, err = await run(Room("system", limits=limits), interpreter(), "-I", "-c", script)
    assert code != 0 and said in err


async def test_what_cannot_be_started_says_so() -> None:
    code, _, err = await run(Room("system"), "/no/such/program")
    assert code == 127 and "cannot start /no/such/program: No such file or directory" in err
