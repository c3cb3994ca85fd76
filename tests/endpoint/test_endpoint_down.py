from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from endpoint_asks import NewClient, greedy
from fault_server import OK, Fault, FaultServer, answer_to

from bridge.endpoint.answer import Answer
from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import Client, EndpointDown, RequestFailed
from bridge.endpoint.traffic import StoreError

CHAT = "/chat/completions"


async def ask_all(client: Client, n: int) -> list[Any]:
    asks = (client.ask(CHAT, greedy(f"question {i}"), job="j") for i in range(n))
    return await asyncio.gather(*asks, return_exceptions=True)


async def test_a_server_that_dies_is_noticed_in_seconds(new_client: NewClient, server: FaultServer) -> None:
    client = await new_client(max_retries=1000)
    server.default = Fault(latency_s=0.02)
    asking = asyncio.create_task(ask_all(client, 2000))
    while len(server.journal) < 100:
        await asyncio.sleep(0.01)
    await server.stop()
    died = time.perf_counter()
    await asyncio.wait_for(client.down.wait(), 20)
    results = await asking
    assert time.perf_counter() - died < 20
    answered = [result for result in results if isinstance(result, Answer)]
    assert len(answered) >= 90
    assert all(isinstance(result, Answer | EndpointDown) for result in results)
    assert client.down_reason == (
        f"{server.base_url}: connection refused; is the server running? "
        "Run the same command again to go on where this stopped"
    )
    with pytest.raises(EndpointDown, match="connection refused"):
        await client.ask(CHAT, greedy("later"), job="j")


async def test_one_request_at_a_time_notices_it_too(new_client: NewClient, server: FaultServer, hasty: None) -> None:
    client = await new_client(max_retries=1000, concurrency=1)
    await server.stop()
    start = time.perf_counter()
    with pytest.raises(EndpointDown):
        await client.ask(CHAT, greedy("x"), job="j")
    assert time.perf_counter() - start < 20


async def test_after_a_restart_exactly_the_missing_requests_are_sent(
    new_client: NewClient, server: FaultServer, hasty: None
) -> None:
    client = await new_client(max_retries=50)
    server.default = Fault(latency_s=0.005)
    asking = asyncio.create_task(ask_all(client, 400))
    while len(server.journal) < 100:
        await asyncio.sleep(0.005)
    await server.stop()
    first = [result for result in await asking if isinstance(result, Answer)]
    assert 0 < len(first) < 400
    server.journal.clear()
    await server.restart()
    second = await ask_all(await new_client(), 400)
    assert [answer.text for answer in second] == [answer_to(f"question {i}") for i in range(400)]
    assert len(server.journal) == 400 - len(first)
    assert sum(answer.cached for answer in second) == len(first)


async def test_a_restart_under_way_costs_nothing(new_client: NewClient, server: FaultServer) -> None:
    client = await new_client(max_retries=6)
    server.default = Fault(latency_s=0.01)
    asking = asyncio.create_task(ask_all(client, 300))
    while len(server.journal) < 50:
        await asyncio.sleep(0.01)
    await server.stop()
    await asyncio.sleep(1.5)
    await server.restart()
    assert [answer.text for answer in await asking] == [answer_to(f"question {i}") for i in range(300)]
    assert not client.down.is_set()


async def test_who_comes_while_the_server_is_in_doubt_waits(new_client: NewClient, server: FaultServer) -> None:
    client = await new_client(max_retries=0)
    await server.stop()
    failing = asyncio.create_task(ask_all(client, 5))
    await asyncio.sleep(0.2)
    waiting = asyncio.create_task(client.ask(CHAT, greedy("late"), job="j"))
    await asyncio.sleep(0.2)
    await server.restart()
    assert (await waiting).text == answer_to("late")
    assert {type(result) for result in await failing} == {RequestFailed}


async def test_who_waits_for_a_retry_is_woken_by_the_end(new_client: NewClient, server: FaultServer) -> None:
    client = await new_client()
    server.script(Fault(status=429, retry_after="60"))
    waiting = asyncio.create_task(client.ask(CHAT, greedy("x"), job="j"))
    while not server.journal:
        await asyncio.sleep(0.01)
    server.default = Fault(status=401)
    await ask_all(client, 3)
    with pytest.raises(EndpointDown, match="401"):
        await asyncio.wait_for(waiting, 5)


async def test_what_failed_before_and_fails_again_is_not_the_end(
    new_client: NewClient, server: FaultServer, hasty: None
) -> None:
    server.rule = lambda body: Fault(status=400) if int(body["messages"][0]["content"].split()[1]) > 10 else OK
    await ask_all(await new_client(), 40)
    again = await new_client()
    results = await ask_all(again, 40)
    assert sum(isinstance(result, Answer) for result in results) == 11
    assert sum(isinstance(result, RequestFailed) for result in results) == 29


@pytest.mark.parametrize(("status", "hint"), [(401, "api_key_env"), (403, "api_key_env"), (404, "model's name")])
async def test_refusals_are_the_end(new_client: NewClient, server: FaultServer, status: int, hint: str) -> None:
    client = await new_client(concurrency=1)
    server.default = Fault(status=status, message="go away")
    results = await ask_all(client, 10)
    assert [type(result) for result in results] == [RequestFailed] * 3 + [EndpointDown] * 7
    assert len(server.journal) == 3
    assert "go away" in client.down_reason and hint in client.down_reason


async def test_a_key_that_is_revoked_half_way(new_client: NewClient, server: FaultServer) -> None:
    client = await new_client(concurrency=1)
    server.script(*[OK] * 5)
    server.default = Fault(status=401)
    results = await ask_all(client, 10)
    assert [type(result) for result in results] == [Answer] * 5 + [RequestFailed] * 3 + [EndpointDown] * 2


async def test_a_server_that_never_answers_is_given_up(new_client: NewClient, server: FaultServer, hasty: None) -> None:
    client = await new_client(max_retries=1, concurrency=4)
    server.default = Fault(status=500, message="cannot load")
    results = await ask_all(client, 50)
    assert sum(isinstance(result, RequestFailed) for result in results) in range(8, 12)
    assert "none of the first" in client.down_reason and "cannot load" in client.down_reason


async def test_failures_while_others_succeed_are_not_the_end(
    new_client: NewClient, server: FaultServer, hasty: None
) -> None:
    client = await new_client(max_retries=0)
    server.rule = lambda body: Fault(status=500) if body["messages"][0]["content"].endswith("3") else OK
    results = await ask_all(client, 300)
    assert sum(isinstance(result, RequestFailed) for result in results) == 30
    assert sum(isinstance(result, Answer) for result in results) == 270
    assert not client.down.is_set()


async def test_without_retries_a_dead_server_is_no_failed_request(new_client: NewClient, hasty: None) -> None:
    client = await new_client(max_retries=0, base_url="http://127.0.0.1:9/v1")
    assert {type(result) for result in await ask_all(client, 100)} == {EndpointDown}


async def test_without_retries_a_broken_connection_is_one(
    new_client: NewClient, server: FaultServer, hasty: None
) -> None:
    client = await new_client(max_retries=0)
    server.rule = lambda body: Fault(mode="reset") if body["messages"][0]["content"].endswith("7") else OK
    results = await ask_all(client, 50)
    failed = [result for result in results if isinstance(result, RequestFailed)]
    assert [(one.kind, one.tries) for one in failed] == [("connection", 1)] * 5
    assert sum(isinstance(result, Answer) for result in results) == 45


async def test_an_answer_that_cannot_be_kept_stops_everything(
    client: Client, server: FaultServer, store: RequestStore
) -> None:
    await client.ask(CHAT, greedy("kept"), job="j")
    store._writer._connection.execute("PRAGMA max_page_count = 5")
    server.answer = lambda prompt: "x" * 50_000
    with pytest.raises(StoreError, match="disk is full"):
        await client.ask(CHAT, greedy("lost"), job="j")
    with pytest.raises(EndpointDown, match="disk is full"):
        await client.ask(CHAT, greedy("not sent"), job="j")
    assert len(server.journal) == 2
