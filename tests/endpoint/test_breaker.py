from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bridge.endpoint import breaker as rules
from bridge.endpoint.answer import EndpointDown, FailureKind
from bridge.endpoint.breaker import Breaker
from bridge.endpoint.verdict import TryFailed

WHERE = "http://127.0.0.1:9/v1"


class Server:
    """What a probe finds."""

    def __init__(self) -> None:
        self.trouble: str | None = "connection refused"
        self.probes = 0

    async def probe(self) -> str | None:
        self.probes += 1
        await asyncio.sleep(0)
        return self.trouble


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def breaker(server: Server, hasty: None) -> AsyncIterator[Breaker]:
    made = Breaker(WHERE, server.probe)
    yield made
    made.close()


def failure(kind: FailureKind, message: str = "no good") -> TryFailed:
    status = {"connection": 0, "timeout": 0}.get(kind, 500)
    return TryFailed(kind, message, passing=True, status=status)


async def down_in(breaker: Breaker, seconds: float) -> bool:
    try:
        await asyncio.wait_for(breaker.down.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def test_broken_connections_and_a_dead_probe_are_the_end(breaker: Breaker, server: Server) -> None:
    for _ in range(rules.BROKEN_IN_A_ROW):
        breaker.try_failed(failure("connection"))
    assert breaker.in_doubt
    assert await down_in(breaker, 1)
    assert server.probes > 2
    assert breaker.reason.startswith(f"{WHERE}: connection refused; is the server running? Run the same command again")
    with pytest.raises(EndpointDown, match="connection refused"):
        breaker.check()


async def test_requests_wait_for_the_verdict(breaker: Breaker, server: Server) -> None:
    for _ in range(rules.BROKEN_IN_A_ROW):
        breaker.try_failed(failure("connection"))
    with pytest.raises(EndpointDown):
        await breaker.verdict()
    await asyncio.sleep(0)
    assert not breaker.in_doubt


async def test_a_server_that_is_there_again_goes_on(breaker: Breaker, server: Server) -> None:
    for _ in range(rules.BROKEN_IN_A_ROW):
        breaker.try_failed(failure("connection"))
    server.trouble = None
    await breaker.verdict()
    assert not await down_in(breaker, 0.2)
    assert server.probes == 1


async def test_few_requests_are_enough_after_a_while(breaker: Breaker, server: Server) -> None:
    breaker.try_failed(failure("connection"))
    assert not breaker.in_doubt
    assert await down_in(breaker, 1)


async def test_a_broken_connection_now_and_then_is_nothing(breaker: Breaker, server: Server) -> None:
    for _ in range(20):
        breaker.try_failed(failure("connection"))
        breaker.try_failed(failure("server-error"))
        breaker.try_failed(failure("connection"))
        breaker.answered()
    assert not await down_in(breaker, 0.2)
    assert server.probes == 0


async def test_any_response_shows_that_the_connection_works(breaker: Breaker) -> None:
    for _ in range(20):
        for _ in range(rules.BROKEN_IN_A_ROW - 1):
            breaker.try_failed(failure("connection"))
        breaker.try_failed(failure("server-error"))
    assert not breaker.in_doubt


async def test_an_answer_during_the_probe_settles_it(breaker: Breaker, server: Server) -> None:
    for _ in range(rules.BROKEN_IN_A_ROW):
        breaker.try_failed(failure("connection"))
    breaker.answered()
    assert not await down_in(breaker, 0.2)


@pytest.mark.parametrize(("kind", "hint"), [("auth", "api_key_env"), ("not-found", "base_url")])
async def test_three_refusals_are_the_end(breaker: Breaker, kind: FailureKind, hint: str) -> None:
    for _ in range(2):
        breaker.try_failed(failure(kind))
    breaker.answered()
    for _ in range(2):
        breaker.try_failed(failure(kind))
    assert not breaker.down.is_set()
    breaker.try_failed(failure(kind, "401 Unauthorized: revoked"))
    assert breaker.down.is_set()
    assert "401 Unauthorized: revoked" in breaker.reason and hint in breaker.reason


async def test_where_nothing_is_ever_answered_eight_failures_are_the_end(breaker: Breaker) -> None:
    for _ in range(rules.FAILED_AT_FIRST - 1):
        breaker.finally_failed(failure("garbage"))
    assert not breaker.down.is_set()
    breaker.finally_failed(failure("garbage", "answered with nothing"))
    assert "none of the first 8 requests was answered, the last: answered with nothing" in breaker.reason


@pytest.mark.parametrize("how", ["answered", "answered_before"])
async def test_where_something_was_answered_they_are_not(breaker: Breaker, how: str) -> None:
    getattr(breaker, how)()
    for _ in range(rules.FAILED_AT_FIRST * 10):
        breaker.finally_failed(failure("timeout"))
        breaker.finally_failed(failure("refused-by-server"))
    assert not breaker.down.is_set()


async def test_prompts_that_are_too_long_say_nothing_about_the_server(breaker: Breaker) -> None:
    for _ in range(100):
        breaker.finally_failed(failure("context-length"))
    assert not breaker.down.is_set()


async def test_a_server_that_only_fails_is_given_up_in_the_end(breaker: Breaker) -> None:
    breaker.answered()
    for _ in range(rules.FAILED_IN_A_ROW - 1):
        breaker.finally_failed(failure("server-error"))
    assert not breaker.down.is_set()
    breaker.finally_failed(failure("server-error", "500: engine is dead"))
    assert "24 requests in a row failed, the last: 500: engine is dead" in breaker.reason


async def test_who_pauses_is_woken_when_it_is_over(breaker: Breaker) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    loop.call_later(0.05, breaker.trip, "because")
    with pytest.raises(EndpointDown, match="because"):
        await breaker.pause(60)
    assert loop.time() - start < 5
    await asyncio.sleep(0)


async def test_a_pause_ends_by_itself(breaker: Breaker) -> None:
    await breaker.pause(0.01)


async def test_the_first_reason_stays(breaker: Breaker) -> None:
    breaker.trip("one")
    breaker.trip("two")
    assert breaker.reason == "one"
