from __future__ import annotations

import asyncio
import socket
import time
from contextlib import ExitStack, closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from endpoint_asks import KEY, NewClient, greedy, sampling
from fault_server import MODEL, OK, Fault, FaultServer, Mode, answer_to

from bridge.endpoint.answer import Answer
from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import Client, EndpointDown, RequestFailed
from bridge.endpoint.traffic import StoreError, failures, usage

CHAT = "/chat/completions"


async def test_an_answer(client: Client, server: FaultServer) -> None:
    answer = await client.ask(CHAT, greedy("how much?"), job="j")
    assert answer.text == answer_to("how much?")
    assert (answer.status, answer.tries, answer.cached, answer.finish_reason) == (200, 1, False, "stop")
    assert answer.usage == {"prompt_tokens": 9, "completion_tokens": len(answer.text)}
    assert 0 < answer.latency_s < 5
    [asked] = server.journal
    assert (asked.path, asked.body) == ("/v1/chat/completions", greedy("how much?"))
    assert asked.headers["Authorization"] == f"Bearer {KEY}"


async def test_a_completion(client: Client) -> None:
    answer = await client.ask("/completions", {"model": MODEL, "temperature": 0, "prompt": "once"}, job="j")
    assert answer.text == answer_to("once")
    assert answer.reasoning is None


async def test_no_key_is_no_header(new_client: NewClient, server: FaultServer) -> None:
    await (await new_client(api_key=None)).ask(CHAT, greedy("x"), job="j")
    assert "Authorization" not in server.journal[0].headers


def test_a_thinking_model_and_one_that_says_nothing() -> None:
    thinks = b'{"choices": [{"message": {"content": null, "reasoning_content": "hm"}, "finish_reason": null}]}'
    answer = Answer(200, thinks, 1, False, 0.1)
    assert (answer.text, answer.reasoning, answer.finish_reason, answer.usage) == ("", "hm", None, None)
    parts = b'{"choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"text": "b"}]}}], "usage": {}}'
    assert Answer(200, parts, 1, False, 0.1).text == "ab"
    assert Answer(200, parts, 1, False, 0.1).usage is None


async def test_the_order_of_fields_reaches_the_server(client: Client, server: FaultServer) -> None:
    await client.ask(CHAT, greedy("x", tools=[{"z": 1, "a": 2}]), job="j")
    assert list(server.journal[0].body["tools"][0]) == ["z", "a"]


async def test_a_large_request(client: Client, server: FaultServer) -> None:
    picture = "data:" + "x" * 3_000_000
    content = [{"type": "image_url", "image_url": {"url": picture}}]
    await client.ask(CHAT, {**greedy(""), "messages": [{"role": "user", "content": content}]}, job="j")
    assert server.journal[0].body["messages"][0]["content"] == content


async def test_streams_are_not_for_ask(client: Client) -> None:
    with pytest.raises(ValueError, match="stream"):
        await client.ask(CHAT, greedy("x", stream=True), job="j")


# Cache


async def test_nothing_answered_is_asked_twice(client: Client, server: FaultServer, new_client: NewClient) -> None:
    first = await client.ask(CHAT, greedy("x"), job="a")
    again = await client.ask(CHAT, greedy("x"), job="b")
    later = await (await new_client()).ask(CHAT, greedy("x"), job="a", repeat=3)
    assert len(server.journal) == 1
    for answer in (again, later):
        assert (answer.body, answer.cached, answer.tries) == (first.body, True, 0)
        assert answer.latency_s == first.latency_s


async def test_repeats_of_a_sampling_request_are_independent(client: Client, server: FaultServer) -> None:
    server.answer = lambda prompt: f"{prompt} {len(server.journal)}"
    first = [(await client.ask(CHAT, sampling("x"), job="a", repeat=k)).text for k in range(4)]
    again = [(await client.ask(CHAT, sampling("x"), job="a", repeat=k)).text for k in range(4)]
    assert first == again == ["x 1", "x 2", "x 3", "x 4"]
    assert len(server.journal) == 4


async def test_a_server_on_another_port_is_the_same_upstream(new_client: NewClient, server: FaultServer) -> None:
    await (await new_client(upstream="sha-of-weights")).ask(CHAT, greedy("x"), job="a")
    async with FaultServer() as elsewhere:
        moved = await new_client(base_url=elsewhere.base_url, upstream="sha-of-weights")
        assert (await moved.ask(CHAT, greedy("x"), job="a")).cached
        other = await new_client(base_url=elsewhere.base_url)
        assert not (await other.ask(CHAT, greedy("x"), job="a")).cached


async def test_the_served_name_is_on_the_wire_and_not_in_the_key(new_client: NewClient, server: FaultServer) -> None:
    for served in ("once-1", "once-2"):
        await (await new_client(rename={MODEL: served})).ask(CHAT, greedy("x"), job="a")
    assert [asked.body["model"] for asked in server.journal] == ["once-1"]


async def test_without_a_store_everything_is_asked(new_client: NewClient, server: FaultServer) -> None:
    client = await new_client(store=None)
    for _ in range(2):
        assert not (await client.ask(CHAT, greedy("x"), job="a")).cached
    assert len(server.journal) == 2


async def test_many_in_flight_each_get_their_own(client: Client, server: FaultServer) -> None:
    server.default, server.jitter = Fault(latency_s=0.005), True
    prompts = [f"question {n}" for n in range(300)]
    answers = await asyncio.gather(*(client.ask(CHAT, greedy(prompt), job="j") for prompt in prompts))
    assert [answer.text for answer in answers] == [answer_to(prompt) for prompt in prompts]
    assert server.peak == 8


# Retries


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
    client = await new_client(max_retries=2, timeout_s=0.3)
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
    assert 1.0 <= second.at - first.at < 3


async def test_who_waits_for_a_retry_leaves_its_place(new_client: NewClient, server: FaultServer) -> None:
    client = await new_client(concurrency=1)
    server.script(Fault(status=429, retry_after="1"))
    slow = asyncio.create_task(client.ask(CHAT, greedy("slow"), job="j"))
    await asyncio.sleep(0.1)
    start = time.perf_counter()
    await client.ask(CHAT, greedy("quick"), job="j")
    assert time.perf_counter() - start < 0.7
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


# The end of an endpoint


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
    await asyncio.wait_for(client.down.wait(), 10)
    results = await asking
    assert time.perf_counter() - died < 8
    answered = [result for result in results if isinstance(result, Answer)]
    assert len(answered) >= 90
    assert all(isinstance(result, Answer | EndpointDown) for result in results)
    assert client.down_reason == (
        f"{server.base_url}: connection refused; is the server running? "
        "Run the same command again to go on where this stopped"
    )
    with pytest.raises(EndpointDown, match="connection refused"):
        await client.ask(CHAT, greedy("later"), job="j")


async def test_one_request_at_a_time_notices_it_too(new_client: NewClient, server: FaultServer) -> None:
    client = await new_client(max_retries=1000, concurrency=1)
    await server.stop()
    start = time.perf_counter()
    with pytest.raises(EndpointDown):
        await client.ask(CHAT, greedy("x"), job="j")
    assert time.perf_counter() - start < 8


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


# The key


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
