"""What TCP itself says of the way to the server."""

from __future__ import annotations

import socket
import struct

import pytest

from bridge.native.perf.job import PerfJob
from bridge.native.perf.network import Network
from bridge.native.perf.result import result
from bridge.perf_spec import PerfBlock


def info(*, rtt_us: int, resent: int, disordered: int, size: int = 228) -> bytes:
    """``struct tcp_info`` as Linux gives it."""
    data = bytearray(228)
    for place, number in ((148, rtt_us), (100, resent), (224, disordered)):
        struct.pack_into("=I", data, place, number)
    return bytes(data[:size])


def test_round_trips_and_losses_are_added_up() -> None:
    network = Network()
    network.note(info(rtt_us=250, resent=2, disordered=1))
    network.note(info(rtt_us=750, resent=0, disordered=3, size=200))  # an old kernel
    assert list(network.rtt.values) == pytest.approx([250e-6, 750e-6])
    assert (network.resent, network.disordered) == (2, 1)


def test_a_real_connection_has_a_round_trip() -> None:
    network = Network()
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as sock:
        there, _ = listening.accept()
        with there:
            sock.sendall(b"ping")
            assert there.recv(4) == b"ping"
            network.take(sock)
    assert 0 < network.rtt.values[0] < 60
    assert network.resent == 0


def test_what_is_no_tcp_is_no_reason_to_end() -> None:
    network = Network()
    one, other = socket.socketpair()
    with one, other:
        network.take(one)
    assert len(network.rtt.values) == 0


def test_losses_are_told(lossy: dict[str, object]) -> None:
    job = PerfJob("m", PerfBlock.model_validate({"load": [{"closed": [1]}]}))
    told = [error["message"] for error in result(job, [lossy], None, [])["errors"] if error["kind"] == "warning"]
    assert told == ["closed=1: 3 packets were lost or came out of order on the way"]


@pytest.fixture
def lossy() -> dict[str, object]:
    names = ("sent", "good", "unsent", "fresh_tries", "retry_after", "clock_steps")
    return {
        "id": "closed=1",
        "kind": "closed",
        "load": 1,
        "state": "done",
        "stopped": "",
        "verdict": "clean",
        "verdict_reason": "",
        "clock": "kernel",
        "server_saturated": False,
        "workers": 1,
        "window": [0, 1],
        "errors": {},
        "messages": {},
        "settings": {},
        "values": {name: {"value": 1.0, "n": 1, "reason": ""} for name in ("output_tok_s", "req_s", "tpot.mean")},
        "counts": {**dict.fromkeys(names, 0), "resent": 2, "disordered": 1},
    }
