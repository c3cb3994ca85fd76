from __future__ import annotations

from collections.abc import Iterator

import pytest
from arena.arenas import say
from fault_server import OK, FaultServer
from server_thread import ServerThread, serving

import bridge.endpoint.breaker


@pytest.fixture(scope="module")
def one_server() -> Iterator[ServerThread]:
    with serving(FaultServer(answer=say)) as thread:
        yield thread


@pytest.fixture
def server(one_server: ServerThread) -> FaultServer:
    """Model and judge; as new for each test."""
    server = one_server.server
    server.journal.clear()
    server.answer, server.rule, server.default = say, None, OK
    server._script.clear()
    return server


@pytest.fixture(autouse=True)
def _soon_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a server that does not answer is gone for good."""
    monkeypatch.setattr(bridge.endpoint.breaker, "PROBE_FOR_S", 0.3)
