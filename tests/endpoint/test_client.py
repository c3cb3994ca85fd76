from __future__ import annotations

import asyncio

import pytest
from endpoint_asks import KEY, NewClient, greedy, sampling
from fault_server import MODEL, Fault, FaultServer, answer_to

from bridge.endpoint.answer import Answer
from bridge.endpoint.client import Client

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
