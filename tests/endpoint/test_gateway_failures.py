from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from endpoint_asks import MARKER, Framework, NewClient, greedy, sampling
from fault_server import Fault, FaultServer, answer_to

from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import Client
from bridge.endpoint.gateway import Gateway

Seen = tuple[int, dict[str, Any]]


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault(status=400), 400),
        (Fault(status=422), 422),
        (Fault(status=429), 429),
        (Fault(status=500), 500),
        (Fault(mode="garbage"), 502),
        (Fault(mode="hang"), 504),
    ],
)
async def test_a_failure_as_an_error_or_as_a_mark(
    new_client: NewClient,
    session: aiohttp.ClientSession,
    server: FaultServer,
    fault: Fault,
    status: int,
    hasty: None,
) -> None:
    client = await new_client(max_retries=1, timeout_s=0.3 if fault.mode == "hang" else 20)
    server.default = fault
    async with Gateway(client, token="t", failed_marker=MARKER) as gateway:
        for name, on_failure in (("e", "error"), ("m", "placeholder")):
            gateway.register(name, on_failure=on_failure, concurrency=2)  # type: ignore[arg-type]
        errors, marks = Framework(gateway, session, "e"), Framework(gateway, session, "m")
        url = f"{errors.url}/chat/completions"
        async with session.post(url, json=greedy("x"), headers=errors.headers) as response:
            assert response.status == status
            assert response.headers["x-should-retry"] == "false"
            error = (await response.json())["error"]
            assert error["message"] and error["type"] in ("invalid_request_error", "api_error")
        assert await marks.text(greedy("x")) == MARKER
        seen, several = await marks.post({"model": "m", "prompt": "x", "n": 3}, "/completions")
        assert (seen, [choice["text"] for choice in several["choices"]]) == (200, [MARKER] * 3)
        assert (gateway.counts("e").failed, gateway.counts("m").failed) == (1, 2)


async def test_a_mark_is_not_cached_and_counts_until_there_is_an_answer(
    marks: Framework, gateway: Gateway, server: FaultServer
) -> None:
    server.script(Fault(status=400))
    assert await marks.text(greedy("x")) == MARKER
    assert await marks.text(greedy("y")) == answer_to("y")
    assert gateway.counts("marks") == (2, 0, 1, 0)
    assert await marks.text(greedy("x")) == answer_to("x")
    assert gateway.counts("marks") == (3, 0, 0, 0)


async def test_a_dead_server_is_said_to_be_one(
    errors: Framework, marks: Framework, server: FaultServer, gateway: Gateway, client: Client, hasty: None
) -> None:
    await server.stop()
    for _ in range(2):
        status, answer = await errors.post(greedy("x"))
        assert status == 503 and "connection refused" in answer["error"]["message"]
    assert await marks.text(greedy("x")) == MARKER
    assert client.down.is_set()
    assert (gateway.counts("errors").failed, gateway.counts("marks").failed) == (1, 1)


async def test_a_null_in_place_of_a_text_is_no_answer(
    errors: Framework, marks: Framework, gateway: Gateway, server: FaultServer, hasty: None
) -> None:
    server.default = Fault(mode="null-content")
    status, answer = await errors.post(greedy("x"))
    assert status >= 500 and "no text" in answer["error"]["message"]
    assert await marks.text(greedy("x")) == MARKER
    assert gateway.counts("errors").failed == gateway.counts("marks").failed == 1


async def test_an_empty_text_is_an_answer(errors: Framework, gateway: Gateway, server: FaultServer) -> None:
    server.answer = lambda prompt: ""
    assert await errors.text(greedy("x")) == ""
    assert await errors.text(greedy("x")) == ""
    assert (gateway.counts("errors").failed, len(server.journal)) == (0, 1)


async def test_a_full_disk_is_no_answer(
    errors: Framework, marks: Framework, store: RequestStore, server: FaultServer
) -> None:
    await errors.text(greedy("kept"))
    store._writer._connection.execute("PRAGMA max_page_count = 5")
    server.answer = lambda prompt: "x" * 50_000
    status, answer = await errors.post(greedy("lost"))
    assert status == 507 and "disk is full" in answer["error"]["message"]
    status, answer = await errors.post(greedy("not sent"))
    assert status == 503 and "disk is full" in answer["error"]["message"]
    assert await marks.text(greedy("not sent")) == MARKER
    assert len(server.journal) == 2


async def test_who_goes_away_does_not_take_the_answer_with_him(
    errors: Framework, marks: Framework, server: FaultServer
) -> None:
    server.default = Fault(latency_s=0.3)
    leaver = asyncio.create_task(errors.text(greedy("x")))
    await asyncio.sleep(0.1)
    stayer = asyncio.create_task(marks.text(greedy("x")))
    await asyncio.sleep(0.05)
    leaver.cancel()
    assert await stayer == answer_to("x")
    assert len(server.journal) == 1


@pytest.mark.parametrize("body", [greedy("x"), sampling("x")])
async def test_what_was_sent_is_kept_for_who_comes_back(
    errors: Framework, gateway: Gateway, server: FaultServer, body: dict[str, Any]
) -> None:
    server.default = Fault(latency_s=0.3)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(errors.text(body), 0.1)
    assert await errors.text(body) == answer_to("x")
    assert len(server.journal) == 1


async def test_what_nobody_waits_for_is_not_tried_again(errors: Framework, server: FaultServer, hasty: None) -> None:
    server.default = Fault(status=500, latency_s=0.5)
    leaving = asyncio.create_task(errors.post(greedy("x")))
    while not server.journal:
        await asyncio.sleep(0.01)
    leaving.cancel()
    await asyncio.sleep(0.8)
    assert len(server.journal) == 1


@pytest.mark.parametrize("how", [{}, {"stream": True}])
async def test_what_nobody_waits_for_is_not_sent(
    new_client: NewClient, session: aiohttp.ClientSession, server: FaultServer, how: dict[str, bool]
) -> None:
    server.default = Fault(latency_s=0.3)
    async with Gateway(await new_client(), token="t", failed_marker=MARKER) as gateway:
        gateway.register("one", on_failure="error", concurrency=1)
        framework = Framework(gateway, session, "one")
        asks = [asyncio.create_task(framework.post(greedy(f"{n}", **how))) for n in range(10)]
        await asyncio.sleep(0.15)
        for ask in asks:
            ask.cancel()
        await asyncio.sleep(0.1)
        assert gateway.counts("one").in_flight == 0
        assert await framework.text(greedy("last")) == answer_to("last")
    assert server.prompts == ["0", "last"]


async def test_each_job_keeps_to_its_share(
    new_client: NewClient, session: aiohttp.ClientSession, server: FaultServer
) -> None:
    server.default = Fault(latency_s=0.02)
    async with Gateway(await new_client(concurrency=6), token="t", failed_marker=MARKER) as gateway:
        gateway.register("two", on_failure="error", concurrency=2)
        gateway.register("six", on_failure="error", concurrency=6)
        two, six = Framework(gateway, session, "two"), Framework(gateway, session, "six")
        await asyncio.gather(*(two.text(greedy(f"{n}")) for n in range(30)))
        assert server.peak == 2
        await asyncio.gather(*(f.text(greedy(f"{f.url} {n}")) for n in range(30) for f in (two, six)))
        assert server.peak == 6


async def test_the_gateway_closes_with_requests_under_way(
    new_client: NewClient, session: aiohttp.ClientSession, server: FaultServer
) -> None:
    server.default = Fault(mode="hang")
    async with Gateway(await new_client(), token="t", failed_marker=MARKER) as gateway:
        gateway.register("one", on_failure="error", concurrency=4)
        framework = Framework(gateway, session, "one")
        asks = [asyncio.create_task(framework.post(greedy(f"{n}"))) for n in range(6)]
        await asyncio.sleep(0.1)
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert all(isinstance(result, aiohttp.ClientError) for result in results)
