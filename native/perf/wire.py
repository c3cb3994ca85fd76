"""One connection to the server: HTTP/1.1 on a bare socket, so that every read carries the kernel's time of arrival.

Nothing is decoded here but HTTP's own framing (and TLS): bytes and times are kept, and read when the answer has ended.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

import httptools

from bridge.errors import ServeError
from bridge.native.perf.clock import ANCILLARY_BYTES, SO_TIMESTAMPNS
from bridge.native.perf.network import Network
from bridge.native.perf.watch import Watchful

READ_BYTES = 16_384
"""More costs more: Python allocates the whole of it for every read."""
TLS_BYTES = 65_536
CONNECT_TIMEOUT_S = 10.0
KEPT_HEADERS = (b"retry-after", b"content-length", b"transfer-encoding", b"content-type")
now = time.perf_counter


@dataclass(frozen=True)
class Target:
    """Where requests go; all that can be looked up before the first of them."""

    family: int
    address: tuple[object, ...]
    host: str
    head: bytes
    """Of every request, up to the value of ``Content-Length``."""
    tls: ssl.SSLContext | None

    def request(self, body: bytes) -> bytes:
        return b"%s%d\r\n\r\n%s" % (self.head, len(body), body)


@contextmanager
def reaching() -> Iterator[None]:
    """On the way to the server an OSError is a ServeError; anywhere else it is the disk's."""
    try:
        yield
    except OSError as error:
        raise ServeError(f"the server cannot be reached: {error.strerror or error}") from error


async def look_up(base_url: str, api_key: str | None, path: str = "/chat/completions") -> Target:
    """Raises OSError where the host has no address. Proxies are not used: they would be measured too."""
    parts = urlsplit(base_url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, _, _, _, address = found[0]
    named = f"[{host}]" if ":" in host else host
    lines = [
        f"POST {parts.path.rstrip('/')}{path} HTTP/1.1",
        f"Host: {named}" + (f":{port}" if parts.port else ""),
        "User-Agent: evalbridge-perf",
        "Content-Type: application/json",
        "Accept: text/event-stream",
        *([f"Authorization: Bearer {api_key}"] if api_key else []),
        "Content-Length: ",
    ]
    tls = ssl.create_default_context() if secure else None
    return Target(family, tuple(address), host, "\r\n".join(lines).encode("latin1"), tls)


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(slots=True)
class Exchange:
    """One request on the wire, and what came back, as it came."""

    ended: asyncio.Future[None]
    begun: float = 0.0
    """When sending began."""
    sent: float = 0.0
    """When the kernel had taken the last byte."""
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    read_at: list[float] = field(default_factory=list)
    stamps: list[bytes] = field(default_factory=list)
    """The kernel's time of each piece, as it gives it; empty where it gives none."""
    unseen_since: list[float] = field(default_factory=list)
    """Since when nobody had been able to look at the socket, before each read."""
    last_at: float = 0.0
    """When something last happened."""
    complete: bool = False
    """HTTP says that the answer is whole."""
    lost: str = ""
    """Why the connection ended before that."""

    @property
    def untouched(self) -> bool:
        return not self.status and not self.complete


class Wire:
    """A connection; takes one exchange after the other."""

    def __init__(self, target: Target, watchful: Watchful, network: Network) -> None:
        self._loop = asyncio.get_running_loop()
        self._target = target
        self._watchful = watchful
        self._network = network
        self._departures = watchful.departures
        self._sock = socket.socket(target.family, socket.SOCK_STREAM)
        self._tls: ssl.SSLObject | None = None
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._rest = b""
        self._read_at = 0.0
        self._stamp = b""
        self._parser: httptools.HttpResponseParser | None = None
        self._exchange: Exchange | None = None
        self.usable = False
        self.used = 0

    async def open(self) -> Wire:
        """Raises OSError (``ssl.SSLError`` too) where there is no connection within ``CONNECT_TIMEOUT_S``."""
        sock = self._sock
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._loop.sock_connect(sock, self._target.address)
                if self._target.tls is not None:
                    await self._handshake(self._target.tls)
        except TimeoutError:
            sock.close()
            raise ConnectionError(f"no connection within {CONNECT_TIMEOUT_S:g} s") from None
        except BaseException:
            sock.close()
            raise
        self._loop.add_reader(sock.fileno(), self._read)
        self.usable = True
        return self

    async def _handshake(self, context: ssl.SSLContext) -> None:
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=self._target.host)
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._loop.sock_sendall(self._sock, self._out.read())
                data = await self._loop.sock_recv(self._sock, TLS_BYTES)
                if not data:
                    raise ConnectionError("closed during the TLS handshake") from None
                self._in.write(data)
        await self._loop.sock_sendall(self._sock, self._out.read())

    def close(self) -> None:
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._loop.remove_writer(self._sock.fileno())
            if self.used:
                self._network.take(self._sock)
            self._sock.close()
        self.usable = False

    # Sending ----------------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> Exchange:
        """Begins an exchange; its ``ended`` is done when the answer is whole, or will never be."""
        exchange = Exchange(self._loop.create_future())
        self._exchange = exchange
        self._parser = httptools.HttpResponseParser(self)
        self.used += 1
        exchange.begun = exchange.last_at = now()
        if self._tls is not None:
            self._tls.write(data)
            data = self._out.read()
        self._push(data)
        return exchange

    def _push(self, data: bytes) -> None:
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._end(error.strerror or str(error))
            return
        if sent == len(data):
            self._all_sent()
        else:
            self._rest = data[sent:]
            self._loop.add_writer(self._sock.fileno(), self._push_rest)

    def _push_rest(self) -> None:
        try:
            sent = self._sock.send(self._rest[:1_048_576])
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error.strerror or str(error))
            return
        self._rest = self._rest[sent:]
        if not self._rest:
            self._loop.remove_writer(self._sock.fileno())
            self._all_sent()

    def _all_sent(self) -> None:
        if self._exchange is not None and not self._exchange.sent:
            self._exchange.sent = self._exchange.last_at = now()

    # Receiving --------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            data, ancillary, _, _ = self._sock.recvmsg(READ_BYTES, ANCILLARY_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error.strerror or str(error))
            return
        self._read_at = now()
        self._stamp = ancillary[0][2] if ancillary else b""
        if not data:
            self._closed_by_server()
            return
        try:
            if self._tls is None:
                self._feed(data)
            else:
                self._feed_tls(data)
        except (httptools.HttpParserError, ssl.SSLError) as error:
            self._end(f"not to be read: {error}")
        exchange = self._exchange
        if exchange is not None and exchange.complete:
            self._exchange = None
            exchange.ended.set_result(None)
        if self._departures.due <= self._read_at:
            self._departures.ring()

    def _feed(self, data: bytes) -> None:
        if self._exchange is None or self._parser is None:
            # Nobody has asked: what a server says before it hangs up.
            self.close()
            return
        self._parser.feed_data(data)

    def _feed_tls(self, data: bytes) -> None:
        assert self._tls is not None
        self._in.write(data)
        while True:
            try:
                plain = self._tls.read(TLS_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                plain = b""
            if not plain:
                self._closed_by_server()
                return
            self._feed(plain)
        if self._out.pending:
            self._push(self._out.read())

    def _closed_by_server(self) -> None:
        exchange = self._exchange
        if (
            exchange is not None
            and exchange.status
            and not {b"content-length", b"transfer-encoding"} & set(exchange.headers)
        ):
            exchange.complete = True  # the end of the connection is the end of such an answer
        self._end("closed by the server")

    def _end(self, why: str) -> None:
        self.close()
        exchange, self._exchange = self._exchange, None
        if exchange is not None and not exchange.ended.done():
            exchange.lost = "" if exchange.complete else why
            exchange.ended.set_result(None)

    def abandon(self, why: str) -> None:
        """Gives the exchange up."""
        self._end(why)

    # What the parser calls ----------------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._exchange is not None and (lower := name.lower()) in KEPT_HEADERS:
            self._exchange.headers[lower] = value

    def on_headers_complete(self) -> None:
        if self._exchange is not None and self._parser is not None:
            self._exchange.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        exchange = self._exchange
        if exchange is not None:
            exchange.pieces.append(body)
            exchange.read_at.append(self._read_at)
            exchange.stamps.append(self._stamp)
            exchange.unseen_since.append(self._watchful.since)
            exchange.last_at = self._read_at

    def on_message_complete(self) -> None:
        if self._exchange is not None and self._parser is not None:
            self._exchange.complete = True
            if not self._parser.should_keep_alive():
                self.close()


@dataclass
class Pool:
    """Connections that are open and idle, the latest used first."""

    target: Target
    watchful: Watchful
    network: Network = field(default_factory=Network)
    idle: list[Wire] = field(default_factory=list)
    opened: int = 0

    def take(self) -> Wire | None:
        while self.idle:
            wire = self.idle.pop()
            if wire.usable:
                return wire
        return None

    async def open(self) -> Wire:
        wire = await Wire(self.target, self.watchful, self.network).open()
        self.opened += 1
        return wire

    def give_back(self, wire: Wire) -> None:
        if wire.usable:
            self.idle.append(wire)

    async def prepare(self, n: int) -> None:
        """``n`` open connections, so that the first requests do not wait for them. Raises OSError."""
        while len(self.idle) < n:
            opening = [self.open() for _ in range(min(64, n - len(self.idle)))]
            self.idle += await asyncio.gather(*opening)

    def close(self) -> None:
        for wire in self._all():
            wire.close()

    def _all(self) -> Iterator[Wire]:
        while self.idle:
            yield self.idle.pop()
