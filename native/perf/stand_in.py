"""A streaming model server on loopback that knows the truth: when each request came, and when each token left it.

``GET /truth`` says what it did. A request's time of arrival is the kernel's, so that
time which it lay unread is the server's own, as it is of any server. What is answered is a *script*: bytes and times.
"""

from __future__ import annotations

import heapq
import select
import socket
import ssl
import time
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import NamedTuple

import orjson

from bridge.native.perf.clock import ANCILLARY_BYTES, SO_TIMESTAMPNS, Clock

READ_BYTES = 262_144
now = time.perf_counter


class Step(NamedTuple):
    """Bytes, and when they leave: so long after the request was read, or after it got its slot."""

    after_s: float
    data: bytes
    token: bool = False
    close: bool = False


@dataclass(frozen=True)
class Asked:
    path: str
    headers: dict[str, str]
    body: bytes

    def fields(self) -> dict[str, object]:
        found = orjson.loads(self.body) if self.body else {}
        return found if isinstance(found, dict) else {}


Script = Callable[[Asked], Sequence[Step]]
Control = Callable[[str], bytes | None]
"""``POST /reset?ttft=0.1`` → the JSON that is answered; None for a path that it does not know."""


@dataclass
class Served:
    """One request as the server knows it."""

    came: float
    """The kernel's time."""
    read: float
    tokens: array[float] = field(default_factory=lambda: array("d"))
    finished: bool = False


class _Connection:
    __slots__ = ("at", "began", "buffer", "out", "served", "sock", "steps")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""
        self.out = b""
        self.steps: Sequence[Step] = ()
        self.at = 0
        self.began = 0.0
        self.served: Served | None = None


class StandIn:
    """The server; ``run`` serves until ``stop``. ``slots`` requests are answered at a time, others wait their turn."""

    def __init__(
        self, script: Script, *, control: Control = lambda path: None, slots: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.script, self.control, self.slots, self._tls = script, control, slots, tls
        self.model = "mock-model"
        self.served: list[Served] = []
        self.connections = 0
        self.peak = 0
        self.clock = Clock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listener.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        self._open: dict[int, _Connection] = {}
        self._due: list[tuple[float, int, _Connection, Sequence[Step]]] = []
        self._waiting: deque[_Connection] = deque()
        self._busy = 0
        self._numbers = count()
        self._stopping = False

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    def stop(self) -> None:
        self._stopping = True

    def forget(self) -> None:
        self.served.clear()
        self.connections = len(self._open)
        self.peak = 0

    def run(self) -> None:
        self.clock.check()
        while not self._stopping:
            for number, _ in self._wait():
                if number == self._listener.fileno():
                    self._accept()
                elif (connection := self._open.get(number)) is not None:
                    self._read(connection)
            self._fire()
        for connection in list(self._open.values()):
            self._close(connection)
        self._epoll.close()
        self._listener.close()

    def _wait(self) -> list[tuple[int, int]]:
        """Up to the next step; ``epoll`` alone waits in whole milliseconds, ``select`` does not."""
        left = min(0.1, self._due[0][0] - now()) if self._due else 0.1
        if left > 0:
            select.select([self._epoll], [], [], left)
        if now() - self.clock.checked_at > 1.0:
            self.clock.check()
        return self._epoll.poll(0, 1024)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            if self._tls is not None:
                try:
                    sock = self._tls.wrap_socket(sock, server_side=True)
                except (ssl.SSLError, OSError):
                    continue
            sock.setblocking(False)
            self.connections += 1
            self._open[sock.fileno()] = _Connection(sock)
            self._epoll.register(sock.fileno(), select.EPOLLIN)

    def _read(self, connection: _Connection) -> None:
        came: float | None = None
        try:
            if self._tls is None:
                data, ancillary, _, _ = connection.sock.recvmsg(READ_BYTES, ANCILLARY_BYTES)
                came = self.clock.arrival(ancillary[0][2] if ancillary else b"", now())
            else:
                data = connection.sock.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            data = b""
        if connection.out:
            self._send(connection, b"")
        if not data:
            self._close(connection)
            return
        connection.buffer += data
        if connection.served is None:
            self._take(connection, came or now())

    def _take(self, connection: _Connection, came: float) -> None:
        """The next whole request in the buffer, if there is one."""
        head, found, rest = connection.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        connection.buffer = rest[length:]
        method, path, _ = first.split(" ", 2)
        if method == "GET" or path.startswith("/reset"):
            self._plain(connection, path)
            return
        connection.served = Served(came, now())
        self.served.append(connection.served)
        connection.steps = self.script(Asked(path, headers, rest[:length]))
        if self.slots and self._busy >= self.slots:
            self._waiting.append(connection)
        else:
            self._begin(connection)

    def _begin(self, connection: _Connection) -> None:
        self._busy += 1
        self.peak = max(self.peak, self._busy)
        connection.began, connection.at = now(), 0
        self._push(connection)

    def _push(self, connection: _Connection) -> None:
        due = connection.began + connection.steps[connection.at].after_s
        heapq.heappush(self._due, (due, next(self._numbers), connection, connection.steps))

    def _fire(self) -> None:
        while self._due and self._due[0][0] <= now():
            _, _, connection, steps = heapq.heappop(self._due)
            if connection.served is not None and connection.steps is steps:
                self._write(connection)

    def _write(self, connection: _Connection) -> None:
        """All steps that are due, in one piece."""
        at, steps, served = connection.at, connection.steps, connection.served
        assert served is not None
        began, moment = connection.began, now()
        data, close = b"", False
        while at < len(steps) and began + steps[at].after_s <= moment:
            step = steps[at]
            data = data + step.data if data else step.data
            if step.token:
                served.tokens.append(moment)
            close = close or step.close
            at += 1
        connection.at = at
        self._send(connection, data)
        if close:
            self._close(connection)
        elif at < len(steps):
            self._push(connection)
        else:
            served.finished = True
            self._finish(connection)

    def _finish(self, connection: _Connection) -> None:
        connection.served, connection.steps = None, ()
        self._free()
        if connection.buffer:
            self._take(connection, now())

    def _free(self) -> None:
        self._busy -= 1
        while self._waiting and self._busy < self.slots:
            following = self._waiting.popleft()
            if following.sock.fileno() >= 0:
                self._begin(following)

    def _send(self, connection: _Connection, data: bytes) -> None:
        connection.out += data
        try:
            sent = connection.sock.send(connection.out)
        except (BlockingIOError, ssl.SSLWantWriteError):
            return
        except OSError:
            connection.out = b""
            return
        connection.out = connection.out[sent:]

    def _plain(self, connection: _Connection, path: str) -> None:
        body = self._answer(path)
        status = b"404 Not Found" if body is None else b"200 OK"
        body = body if body is not None else b'{"error": {"message": "no such path"}}'
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self._send(connection, head + body)

    def _answer(self, path: str) -> bytes | None:
        if path.endswith("/models"):
            return orjson.dumps({"object": "list", "data": [{"id": self.model, "object": "model"}]})
        if path == "/health":
            return b"{}"
        return orjson.dumps(self.truth()) if path == "/truth" else self.control(path)

    def _close(self, connection: _Connection) -> None:
        self._open.pop(connection.sock.fileno(), None)
        self._epoll.unregister(connection.sock.fileno())
        connection.sock.close()
        if connection.served is not None and connection.began:
            connection.served, connection.steps = None, ()
            self._free()

    def truth(self) -> dict[str, object]:
        """What was served, in seconds: for each finished request its arrival, queue and tokens, summed up."""
        done = [one for one in self.served if one.finished and one.tokens]
        gaps = [b - a for one in done for a, b in pairwise(one.tokens)]
        return {
            "requests": len(self.served),
            "finished": len(done),
            "connections": self.connections,
            "peak": self.peak,
            "tokens": sum(len(one.tokens) for one in done),
            "ttft": spread([one.tokens[0] - one.came for one in done]),
            "queue": spread([one.read - one.came for one in done]),
            "e2e": spread([one.tokens[-1] - one.came for one in done]),
            "gap": spread(gaps),
            "arrivals": [one.came for one in self.served[:20_000]],
        }


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """Mean and percentiles, linear between neighbours."""
    if not values:
        return None
    ordered, last = sorted(values), len(values) - 1

    def at(share: float) -> float:
        place = last * share
        low = int(place)
        return ordered[low] + (place - low) * (ordered[min(low + 1, last)] - ordered[low])

    return {"n": len(values), "mean": sum(values) / len(values), "p50": at(0.5), "p99": at(0.99), "max": ordered[-1]}
