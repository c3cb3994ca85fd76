from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from endpoint_asks import MARKER, Framework, NewClient, greedy, sampling
from fault_server import OK, Fault, FaultServer, answer_to

from bridge.endpoint.cache import RequestStore
from bridge.endpoint.gateway import Gateway
from bridge.endpoint.totals import usage

Seen = tuple[int, dict[str, Any]]


async def test_identical_questions_at_once_are_one_request(
    errors: Framework, gateway: Gateway, server: FaultServer
) -> None:
    server.default = Fault(latency_s=0.1)
    texts = await asyncio.gather(*(errors.text(greedy("same")) for _ in range(20)))
    assert set(texts) == {answer_to("same")} and len(server.journal) == 1
    assert gateway.counts("errors") == (20, 19, 0, 0)


async def test_identical_questions_one_after_the_other_too(
    errors: Framework, marks: Framework, server: FaultServer, store: RequestStore, requests: Path
) -> None:
    for framework in (errors, marks, errors):
        await framework.text(greedy("same"))
    assert len(server.journal) == 1
    store.close()
    assert (usage(requests).requests, usage(requests).cached) == (3, 2)
    assert usage(requests, "marks").cached == 1


async def test_a_failure_is_shared_too(errors: Framework, gateway: Gateway, server: FaultServer) -> None:
    server.default = Fault(status=400, latency_s=0.05)
    seen = await asyncio.gather(*(errors.post(greedy("same")) for _ in range(5)))
    assert [status for status, _ in seen] == [400] * 5 and len(server.journal) == 1
    assert gateway.counts("errors") == (5, 0, 1, 0)


@pytest.mark.parametrize("total", [3000, pytest.param(10_000, marks=pytest.mark.bench)])
async def test_at_256_in_flight_each_gets_its_own(
    new_client: NewClient, server: FaultServer, session: aiohttp.ClientSession, total: int
) -> None:
    server.default, server.jitter = Fault(latency_s=0.005), True
    client = await new_client(concurrency=256, timeout_s=60.0)
    async with Gateway(client, token="t", failed_marker=MARKER) as gateway:
        for job in ("a", "b"):
            gateway.register(job, on_failure="error", concurrency=256)
        frameworks = [Framework(gateway, session, job) for job in ("a", "b")]
        numbers = iter(range(total))

        async def work() -> int:
            right = 0
            for n in numbers:
                # Every fourth question was asked before, or is being asked now.
                prompt = f"question {n - n % 4 * (n % 97)}"
                right += await frameworks[n % 2].text(greedy(prompt)) == answer_to(prompt)
            return right

        assert sum(await asyncio.gather(*(work() for _ in range(256)))) == total
        assert gateway.counts("a").requests + gateway.counts("b").requests == total
    assert len(server.journal) == len(set(server.prompts)) < total


async def test_repeats_of_a_sampling_request_are_independent(errors: Framework, server: FaultServer) -> None:
    server.answer = lambda prompt: f"answer {len(server.journal)}"
    texts = await asyncio.gather(*(errors.text(sampling("x")) for _ in range(5)))
    assert len(set(texts)) == len(server.journal) == 5


@pytest.mark.parametrize("body", [sampling("x"), sampling("x", n=2, temperature=0)])
async def test_a_job_that_runs_again_gets_the_same_repeats(
    errors: Framework, gateway: Gateway, server: FaultServer, body: dict[str, Any]
) -> None:
    server.answer = lambda prompt: f"answer {len(server.journal)}"
    first = [await errors.text(body) for _ in range(3)]
    gateway.register("errors", on_failure="error", concurrency=8)
    second = [await errors.text(body) for _ in range(5)]
    assert second[:3] == first and len(set(second)) == 5 and len(server.journal) == 5
    assert gateway.counts("errors") == (5, 3, 0, 0)


async def test_a_repeat_that_failed_gives_its_place_to_the_next(
    errors: Framework, gateway: Gateway, server: FaultServer
) -> None:
    server.answer = lambda prompt: f"answer {len(server.journal)}"
    server.script(OK, Fault(status=400), OK)
    seen = [await errors.post(sampling("x")) for _ in range(3)]
    assert [status for status, _ in seen] == [200, 400, 200]
    gateway.register("errors", on_failure="error", concurrency=8)
    texts = [await errors.text(sampling("x")) for _ in range(3)]
    assert texts == ["answer 1", "answer 3", "answer 4"] and len(server.journal) == 4
