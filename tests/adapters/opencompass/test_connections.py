"""Connections that are kept, shared by threads, and made again where the server closed them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
from fault_server import Fault, FaultServer
from server_thread import ServerThread, serving

from bridge.adapters.opencompass.ocbridge.connections import Connections

BODY = json.dumps({"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}).encode()
HEADERS = {"Content-Type": "application/json"}


@contextmanager
def connected(server: FaultServer) -> Iterator[tuple[ServerThread, Connections]]:
    with serving(server) as thread, closing(Connections(thread.server.base_url, 5)) as connections:
        yield thread, connections


def test_a_connection_is_used_again_by_whoever_asks_next() -> None:
    with connected(FaultServer(default=Fault(latency_s=0.02))) as (thread, connections):
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: connections.post(BODY, HEADERS), range(40)))
        assert {status for status, _ in answers} == {200}
        assert len({asked.connection for asked in thread.server.journal}) <= 4
        assert {asked.path for asked in thread.server.journal} == {"/v1/chat/completions"}


def test_a_connection_that_was_closed_while_idle_is_made_again() -> None:
    with connected(FaultServer()) as (thread, connections):
        assert connections.post(BODY, HEADERS)[0] == 200
        thread.stop()
        thread.restart()
        assert connections.post(BODY, HEADERS)[0] == 200


def test_statuses_are_handed_on_and_a_dead_server_raises() -> None:
    with connected(FaultServer(default=Fault(status=400))) as (thread, connections):
        assert connections.post(BODY, HEADERS)[0] == 400
        thread.stop()
        with pytest.raises(OSError):
            connections.post(BODY, HEADERS)
        thread.restart()
