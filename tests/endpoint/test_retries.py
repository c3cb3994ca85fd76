from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from endpoint_asks import NewClient, greedy
from fault_server import OK, Fault, FaultServer, Mode, answer_to

from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import Client, RequestFailed
from bridge.endpoint.totals import failures, usage

CHAT = "/chat/completions"


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
async def test_what_may_pass_is_tried_again(client: Client, server: FaultServer, status: int, hasty: None) -> None:
    server.script(Fault(status=status), Fault(status=status))
    answer = await client.ask(CHAT, greedy("x"), job="j")
    assert (answer.text, answer.tries) == (answer_to("x"), 3)


@pytest.mark.parametrize("mode", ["garbage", "truncated", "empty", "wrong-schema", "error-in-200", "reset"])
async def test_garbage_is_tried_again(client: Client, server: FaultServer, mode: Mode, hasty: None) -> None:
    server.script(Fault(mode=mode), Fault(mode=mode))
    answer = await client.ask(CHAT, greedy("x"), job="j")
    assert (answer.text, answer.tries) == (answer_to("x"), 3)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(status=400), "refused-by-server"),
        (Fault(status=401), "auth"),
        (Fault(status=403), "auth"),
        (Fault(status=404), "not-found"),
        (Fault(status=413), "refused-by-server"),
        (Fault(status=422), "refused-by-server"),
        (Fault(status=400, message="maximum context length is 5 tokens"), "context-length"),
        (Fault(status=429, code="insufficient_quota"), "auth"),
    ],
)
async def test_what_cannot_succeed_is_not_tried_again(
    client: Client, server: FaultServer, fault: Fault, kind: str, requests: Path
) -> None:
    server.default = fault
    with pytest.raises(RequestFailed) as caught:
        await client.ask(CHAT, greedy("x"), job="j")
    failed = caught.value
    assert (failed.kind, failed.status, failed.tries, len(server.journal)) == (kind, fault.status, 1, 1)
    assert fault.message in failed.message and fault.message.encode() in failed.body


@pytest.mark.parametrize(
    ("fault", "kind", "status"),
    [
        (Fault(status=500), "server-error", 500),
        (Fault(status=429), "rate-limit", 429),
        (Fault(mode="garbage"), "garbage", 200),
        (Fault(mode="empty"), "garbage", 200),
        (Fault(mode="truncated"), "garbage", 200),
        (Fault(mode="wrong-schema"), "garbage", 200),
        (Fault(mode="hang"), "timeout", 0),
        (Fault(mode="trickle", latency_s=0.05), "timeout", 0),
    ],
)
async def test_in_the_end_it_has_failed(
    new_client: NewClient, server: FaultServer, fault: Fault, kind: str, status: int, hasty: None
) -> None:
    client = await new_client(max_retries=2, timeout_s=0.5 if kind == "timeout" else 20)
    server.default = fault
    with pytest.raises(RequestFailed) as caught:
        await client.ask(CHAT, greedy("x"), job="j")
    assert (caught.value.kind, caught.value.status, caught.value.tries) == (kind, status, 3)
    assert "\n" not in caught.value.message
    server.default = OK
    assert not (await client.ask(CHAT, greedy("x"), job="j")).cached


async def test_a_failure_is_not_cached_and_is_recorded(
    new_client: NewClient, server: FaultServer, store: RequestStore, requests: Path, hasty: None
) -> None:
    client = await new_client(max_retries=1)
    server.script(Fault(status=500, message="first"), Fault(status=503, message="last"))
    with pytest.raises(RequestFailed):
        await client.ask(CHAT, greedy("x"), job="j")
    await client.ask(CHAT, greedy("y"), job="j")
    assert failures(requests, "j") == {"server-error": (1, "503 Service Unavailable: last")}
    assert not (await client.ask(CHAT, greedy("x"), job="j")).cached
    assert failures(requests, "j") == {}
    whole = usage(requests)
    assert (whole.requests, whole.failed, whole.retried) == (3, 1, 1)


async def test_the_server_says_when(client: Client, server: FaultServer) -> None:
    server.script(Fault(status=429, retry_after="1"))
    await client.ask(CHAT, greedy("x"), job="j")
    first, second = server.journal
    assert 1.0 <= second.at - first.at < 10


async def test_who_waits_for_a_retry_leaves_its_place(new_client: NewClient, server: FaultServer) -> None:
    client = await new_client(concurrency=1)
    server.script(Fault(status=429, retry_after="1"))
    slow = asyncio.create_task(client.ask(CHAT, greedy("slow"), job="j"))
    while not server.journal:
        await asyncio.sleep(0.01)
    await client.ask(CHAT, greedy("quick"), job="j")
    assert (await slow).tries == 2
    assert server.prompts == ["slow", "quick", "slow"]


async def test_a_broken_keepalive_connection_is_survived(client: Client, server: FaultServer, hasty: None) -> None:
    await client.ask(CHAT, greedy("x"), job="j")
    await server.stop()
    await server.restart()
    assert (await client.ask(CHAT, greedy("y"), job="j")).text == answer_to("y")


async def test_connections_are_kept(client: Client, server: FaultServer) -> None:
    for n in range(5):
        await client.ask(CHAT, greedy(f"{n}"), job="j")
    assert len({asked.connection for asked in server.journal}) == 1


async def test_who_gives_up_waiting_leaves_its_place(new_client: NewClient, server: FaultServer) -> None:
    client = await new_client(concurrency=1)
    server.script(Fault(mode="hang"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.ask(CHAT, greedy("x"), job="j"), 0.2)
    assert (await client.ask(CHAT, greedy("y"), job="j")).text == answer_to("y")
