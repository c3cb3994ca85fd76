from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, closing
from pathlib import Path
from sqlite3 import connect

import pytest
from endpoint_asks import KEY, NewClient, greedy
from fault_server import Fault, FaultServer

from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import EndpointDown, RequestFailed

CHAT = "/chat/completions"


async def test_a_host_that_is_not_there(new_client: NewClient, hasty: None) -> None:
    client = await new_client(base_url="http://no-such-host.invalid:9/v1")
    with pytest.raises(EndpointDown, match="name cannot be resolved"):
        await asyncio.wait_for(client.ask(CHAT, greedy("x"), job="j"), 20)


async def test_a_port_that_speaks_no_tls(new_client: NewClient, server: FaultServer, hasty: None) -> None:
    client = await new_client(base_url=server.base_url.replace("http:", "https:"))
    with pytest.raises(EndpointDown, match="no TLS connection"):
        await client.ask(CHAT, greedy("x"), job="j")


async def test_a_host_that_does_not_answer_at_all(new_client: NewClient, hasty: None) -> None:
    """Its queue of connections is full, so that the next one gets no reply."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as stack:
        for _ in range(4):
            held = stack.enter_context(socket.socket())
            held.setblocking(False)
            held.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        client = await new_client(base_url=url, connect_timeout_s=0.2, max_retries=0)
        with pytest.raises(EndpointDown, match=r"no connection in 0\.2 s"):
            await asyncio.wait_for(client.ask(CHAT, greedy("x"), job="j"), 10)


async def test_a_port_that_speaks_no_http(new_client: NewClient, hasty: None) -> None:
    async def shout(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(shout, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        client = await new_client(base_url=f"http://127.0.0.1:{port}/v1", max_retries=1)
        with pytest.raises(RequestFailed) as caught:
            await client.ask(CHAT, greedy("x"), job="j")
    assert caught.value.kind == "garbage"


async def test_the_key_is_nowhere_but_in_its_header(
    new_client: NewClient, server: FaultServer, store: RequestStore, requests: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    client = await new_client(max_retries=0, concurrency=1)
    server.default = Fault(status=401, message=f"Incorrect API key provided: {KEY}. Send a right one")
    said = [repr(client), repr(vars(client))]
    for n in range(5):
        try:
            await client.ask(CHAT, greedy(f"{n}"), job="j")
        except RequestFailed as failed:
            said += [str(failed), repr(failed), repr(vars(failed)), failed.body.decode()]
        except EndpointDown as down:
            said += [str(down), repr(down)]
    assert "Incorrect API key provided: ***." in said[2]
    assert server.journal[0].headers["Authorization"] == f"Bearer {KEY}"
    store.close()
    with closing(connect(requests)) as connection:
        said += list(connection.iterdump())
    said += [caplog.text, client.down_reason]
    assert not [text for text in said if KEY in text]


@pytest.mark.parametrize("key", [None, KEY])
async def test_a_password_in_the_url_is_not_told(new_client: NewClient, key: str | None, hasty: None) -> None:
    client = await new_client(base_url="http://user:hunter2@127.0.0.1:9/v1", api_key=key)
    with pytest.raises(EndpointDown) as caught:
        await client.ask(CHAT, greedy("x"), job="j")
    assert "hunter2" not in str(caught.value) and "127.0.0.1:9" in str(caught.value)


async def test_a_proxy_is_used_for_hosts_elsewhere_only(
    new_client: NewClient, server: FaultServer, monkeypatch: pytest.MonkeyPatch, hasty: None
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with FaultServer() as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        here = await new_client()
        await here.ask(CHAT, greedy("x"), job="j")
        assert (len(server.journal), len(proxy.journal)) == (1, 0)
        elsewhere = await new_client(base_url="http://models.example/v1")
        await elsewhere.ask(CHAT, greedy("x"), job="j")
        assert (len(server.journal), len(proxy.journal)) == (1, 1)
