"""Equal requests of one client at the same time are one on the wire."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from endpoint_asks import NewClient, greedy, sampling
from fault_server import Fault, FaultServer, answer_to

from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import Client, RequestFailed
from bridge.endpoint.totals import usage

CHAT = "/chat/completions"


async def test_they_get_one_answer(client: Client, server: FaultServer, store: RequestStore, requests: Path) -> None:
    server.default = Fault(latency_s=0.1)
    answers = await asyncio.gather(*(client.ask(CHAT, greedy("same"), job="j", repeat=n) for n in range(20)))
    assert {answer.text for answer in answers} == {answer_to("same")}
    assert sorted(answer.cached for answer in answers) == [False] + [True] * 19
    assert len(server.journal) == 1
    store.close()
    assert (usage(requests).requests, usage(requests).cached) == (20, 19)


async def test_repeats_of_a_sampling_request_are_asked_each(client: Client, server: FaultServer) -> None:
    server.default = Fault(latency_s=0.05)
    await asyncio.gather(*(client.ask(CHAT, sampling("same"), job="j", repeat=n % 3) for n in range(9)))
    assert len(server.journal) == 3


async def test_a_failure_is_one_too(client: Client, server: FaultServer, store: RequestStore, requests: Path) -> None:
    server.default = Fault(status=400, latency_s=0.05)
    asks = (client.ask(CHAT, greedy("same"), job="j") for _ in range(5))
    failures = await asyncio.gather(*asks, return_exceptions=True)
    assert [type(failure) for failure in failures] == [RequestFailed] * 5
    assert len(server.journal) == 1
    store.close()
    assert usage(requests).failed == 5


async def test_who_waits_asks_itself_where_the_first_one_gives_up(client: Client, server: FaultServer) -> None:
    server.default = Fault(latency_s=0.2)
    first = asyncio.create_task(client.ask(CHAT, greedy("same"), job="j"))
    await asyncio.sleep(0.05)
    second = asyncio.create_task(client.ask(CHAT, greedy("same"), job="j"))
    await asyncio.sleep(0.05)
    first.cancel()
    assert (await second).text == answer_to("same")
    with pytest.raises(asyncio.CancelledError):
        await first
    assert len(server.journal) == 2


async def test_without_a_store_every_request_is_sent(new_client: NewClient, server: FaultServer) -> None:
    server.default = Fault(latency_s=0.05)
    client = await new_client(store=None)
    await asyncio.gather(*(client.ask(CHAT, greedy("same"), job="j") for _ in range(4)))
    assert len(server.journal) == 4
