"""What the kernel knows of the way to the server (TCP_INFO), so that it can be told from the server itself."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field

from bridge.native.perf.tally import Tally

TCP_INFO = 11
"""Of Linux."""
_LEAST_RTT_US, _RESENT, _DISORDERED = 148, 100, 224
"""Where ``struct tcp_info`` holds them; old kernels end before the last. The usual round trip (68) is none of the
network's: a receiver waits with its acknowledgement for the answer, so long as the server thinks.
"""
_SIZE = 228
_NUMBER = struct.Struct("=I")


@dataclass
class Network:
    """Of all connections of one process, each asked when it is closed."""

    rtt: Tally = field(default_factory=Tally)
    """The shortest of each connection, to the server's kernel and back, in seconds."""
    resent: int = 0
    """Packets that had to be sent to the server again."""
    disordered: int = 0
    """Packets from the server that came out of order, as after a loss."""

    def take(self, sock: socket.socket) -> None:
        with suppress(OSError):
            self.note(sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, _SIZE))

    def note(self, info: bytes) -> None:
        if rtt_us := _number(info, _LEAST_RTT_US):
            self.rtt.add(1e-6 * rtt_us)
        self.resent += _number(info, _RESENT)
        self.disordered += _number(info, _DISORDERED)


def _number(info: bytes, place: int) -> int:
    found: int = _NUMBER.unpack_from(info, place)[0] if len(info) >= place + _NUMBER.size else 0
    return found
