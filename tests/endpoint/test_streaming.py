from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from endpoint_asks import MARKER, greedy, sampling
from fault_server import Fault, FaultServer, answer_to

from bridge.endpoint.client import Client
from bridge.endpoint.gateway import Gateway
from bridge.endpoint.sse import Assembly, event, events, replay
from bridge.endpoint.verdict import TryFailed

CHAT = "/chat/completions"


class Streams:
    """Reads streams of one job as raw events."""

    def __init__(self, gateway: Gateway, session: aiohttp.ClientSession, job: str) -> None:
        self.url, self.session = f"{gateway.job_url(job)}", session
        self.headers = {"Authorization": f"Bearer {gateway.token}"}

    async def read(self, body: dict[str, Any], path: str = CHAT) -> tuple[int, list[Any]]:
        async with self.session.post(self.url + path, json=body, headers=self.headers) as response:
            raw = (await response.read()).decode()
            if response.status != 200:
                return response.status, [json.loads(raw)]
            assert response.content_type == "text/event-stream"
            data = [part.removeprefix("data: ") for part in raw.split("\n\n") if part]
            return 200, [one if one == "[DONE]" else json.loads(one) for one in data]


@pytest.fixture
def errors(gateway: Gateway, session: aiohttp.ClientSession) -> Streams:
    return Streams(gateway, session, "errors")


@pytest.fixture
def marks(gateway: Gateway, session: aiohttp.ClientSession) -> Streams:
    return Streams(gateway, session, "marks")


def streamed(prompt: str, **more: Any) -> dict[str, Any]:
    return greedy(prompt, stream=True, **more)


def text_of(told: list[Any]) -> str:
    return "".join(
        choice["delta"].get("content") or ""
        for chunk in told
        if isinstance(chunk, dict)
        for choice in chunk.get("choices", [])
    )


async def test_chunks_are_passed_on_and_the_whole_is_kept(errors: Streams, server: FaultServer, client: Client) -> None:
    status, told = await errors.read(streamed("x"))
    assert status == 200 and told[-1] == "[DONE]" and len(told) > 4
    assert text_of(told) == answer_to("x")
    assert server.journal[0].body["stream"] is True
    kept = await client.ask(CHAT, greedy("x"), job="j")
    assert kept.cached and kept.text == answer_to("x") and kept.finish_reason == "stop"
    assert kept.json["object"] == "chat.completion"


async def test_a_kept_answer_is_told_as_a_stream(errors: Streams, server: FaultServer, client: Client) -> None:
    whole = await client.ask(CHAT, greedy("x"), job="j")
    _, told = await errors.read(streamed("x", stream_options={"include_usage": True}))
    assert told[-1] == "[DONE]" and told[-2]["usage"] == whole.json["usage"] and told[-2]["choices"] == []
    assert text_of(told) == whole.text
    assert {chunk["object"] for chunk in told[:-1]} == {"chat.completion.chunk"}
    assert [chunk["choices"][0]["finish_reason"] for chunk in told[:-2]] == [None, "stop"]
    _, told = await errors.read(streamed("x"))
    assert not any("usage" in chunk for chunk in told[:-1])
    assert len(server.journal) == 1


async def test_usage_is_passed_on_where_it_was_asked_for(errors: Streams, client: Client) -> None:
    _, told = await errors.read(streamed("x", stream_options={"include_usage": True}))
    assert told[-2]["usage"]["prompt_tokens"] == 1
    kept = await client.ask(CHAT, greedy("x"), job="j")
    assert kept.usage == {"prompt_tokens": 1, "completion_tokens": len(answer_to("x"))}


async def test_a_completion_streams_too(errors: Streams, server: FaultServer) -> None:
    body = {"model": "m", "temperature": 0, "prompt": "x", "stream": True}
    for _ in range(2):
        _, told = await errors.read(body, "/completions")
        assert "".join(chunk["choices"][0]["text"] for chunk in told[:-1]) == answer_to("x")
    assert len(server.journal) == 1


async def test_chunks_come_as_they_are_sent(session: aiohttp.ClientSession) -> None:
    """The first is there long before the last."""
    hold = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        writer.write(event({"choices": [{"index": 0, "delta": {"content": "first "}}]}))
        await writer.drain()
        await hold.wait()
        writer.write(event({"choices": [{"index": 0, "delta": {"content": "last"}, "finish_reason": "stop"}]}))
        writer.close()

    async with await asyncio.start_server(slow, "127.0.0.1", 0) as upstream:
        url = f"http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}/v1"
        settings: dict[str, Any] = {"api_key": None, "store": None, "concurrency": 2, "max_retries": 0, "timeout_s": 9}
        async with Client(url, **settings) as client, Gateway(client, token="t", failed_marker=MARKER) as slow_gateway:
            slow_gateway.register("j", on_failure="error", concurrency=2)
            streams = Streams(slow_gateway, session, "j")
            async with session.post(streams.url + CHAT, json=streamed("x"), headers=streams.headers) as response:
                first = await asyncio.wait_for(response.content.readuntil(b"\n\n"), 5)
                assert b"first " in first and not hold.is_set()
                hold.set()
                rest = await response.read()
    assert b"last" in rest and rest.endswith(b"data: [DONE]\n\n")


async def test_one_stream_for_all_who_ask_the_same(errors: Streams, marks: Streams, server: FaultServer) -> None:
    server.default = Fault(latency_s=0.1)
    asks = [errors.read(streamed("x")), marks.read(streamed("x")), errors.read(streamed("x"))]
    assert {text_of(told) for _, told in await asyncio.gather(*asks)} == {answer_to("x")}
    assert len(server.journal) == 1


async def test_repeats_of_a_sampling_stream(errors: Streams, server: FaultServer) -> None:
    server.answer = lambda prompt: f"answer {len(server.journal)}"
    texts = [text_of((await errors.read(sampling("x", stream=True)))[1]) for _ in range(3)]
    assert texts == ["answer 1", "answer 2", "answer 3"]


async def test_several_choices(errors: Streams, client: Client) -> None:
    _, told = await errors.read(sampling("x", stream=True, n=3))
    assert len(text_of(told)) == 3 * len(answer_to("x"))
    kept = await client.ask(CHAT, sampling("x", n=3), job="j")
    assert kept.cached and [c["message"]["content"] for c in kept.json["choices"]] == [answer_to("x")] * 3


async def test_before_the_first_chunk_it_is_tried_again(errors: Streams, server: FaultServer, hasty: None) -> None:
    server.script(Fault(status=500), Fault(mode="reset"))
    _, told = await errors.read(streamed("x"))
    assert text_of(told) == answer_to("x") and len(server.journal) == 3


async def test_a_refusal_before_the_first_chunk_is_an_http_error(errors: Streams, server: FaultServer) -> None:
    server.default = Fault(status=400, message="no")
    status, [told] = await errors.read(streamed("x"))
    assert (status, told["error"]["message"]) == (400, "400 Bad Request: no")


@pytest.mark.parametrize("mode", ["break-stream", "error-in-stream"])
async def test_a_stream_that_breaks_off_is_a_failure(
    errors: Streams, marks: Streams, gateway: Gateway, server: FaultServer, mode: Any, client: Client
) -> None:
    server.script(Fault(mode=mode), Fault(mode=mode))
    _, told = await errors.read(streamed("x"))
    assert "error" in told[-1] and "[DONE]" not in told
    _, told = await marks.read(streamed("x"))
    assert text_of(told).endswith(MARKER) and told[-1] == "[DONE]"
    assert (gateway.counts("errors").failed, gateway.counts("marks").failed) == (1, 1)
    assert len(server.journal) == 2
    assert not (await client.ask(CHAT, greedy("x"), job="j")).cached


async def test_a_mark_is_told_as_a_stream(marks: Streams, server: FaultServer) -> None:
    server.script(Fault(status=400))
    _, told = await marks.read(streamed("x"))
    assert text_of(told) == MARKER and told[-1] == "[DONE]"


async def test_a_server_that_does_not_stream(errors: Streams, server: FaultServer) -> None:
    server.script(Fault(mode="truncated"), Fault(mode="trickle"))
    _, told = await errors.read(streamed("x"))
    assert text_of(told) == answer_to("x") and told[-1] == "[DONE]"


async def test_who_leaves_a_stream_finds_it_kept(
    gateway: Gateway, errors: Streams, server: FaultServer, client: Client
) -> None:
    server.default = Fault(latency_s=0.2)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(errors.read(streamed("x")), 0.1)
    _, told = await errors.read(streamed("x"))
    assert text_of(told) == answer_to("x") and len(server.journal) == 1


# Events


async def read(*pieces: bytes) -> list[bytes]:
    class Pieces:
        async def iter_any(self) -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

    return [one async for one in events(Pieces())]  # type: ignore[arg-type]


async def test_events_are_cut_wherever_the_network_cuts_them() -> None:
    raw = b": ping\n\ndata: {}\r\n\r\nevent: x\ndata: [1]\n\ndata: last"
    whole = [b": ping", b"data: {}", b"event: x\ndata: [1]", b"data: last"]
    assert await read(raw) == whole
    assert await read(*(raw[at : at + 1] for at in range(len(raw)))) == whole


def assemble(*chunks: dict[str, Any], path: str = CHAT) -> dict[str, Any]:
    assembly = Assembly(path)
    for chunk in chunks:
        assembly.add(event(chunk).strip())
    return assembly.answer()


def delta(finish: str | None = None, **what: Any) -> dict[str, Any]:
    return {"id": "1", "model": "m", "choices": [{"index": 0, "delta": what, "finish_reason": finish}]}


def test_tool_calls_and_reasoning_are_put_together() -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a"'}}
    whole = assemble(
        delta(role="assistant", content=None, reasoning_content="let me "),
        delta(reasoning_content="see"),
        delta(tool_calls=[call]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": ": 1}"}}]),
        delta(tool_calls=[{"index": 1, "id": "d", "type": "function", "function": {"name": "f", "arguments": ""}}]),
        delta("tool_calls"),
        {"choices": [], "usage": {"prompt_tokens": 1}},
    )
    [choice] = whole["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "reasoning_content": "let me see",
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}},
            {"id": "d", "type": "function", "function": {"name": "f", "arguments": ""}},
        ],
    }
    assert (whole["id"], whole["model"], whole["usage"]) == ("1", "m", {"prompt_tokens": 1})
    again = assemble(*(json.loads(one.removeprefix(b"data: ")) for one in list(replay(whole, with_usage=True))[:-1]))
    assert again == whole


def test_logprobs_are_put_together() -> None:
    first = delta(content="a")
    first["choices"][0]["logprobs"] = {"content": [{"token": "a"}], "refusal": None}
    second = delta("stop", content="b")
    second["choices"][0]["logprobs"] = {"content": [{"token": "b"}], "refusal": None}
    [choice] = assemble(first, second)["choices"]
    assert choice["logprobs"] == {"content": [{"token": "a"}, {"token": "b"}], "refusal": None}


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [delta(content="no end")],
        [delta("stop", content="a"), {"error": {"message": "died"}}],
        [{"choices": ["text"]}],
        [{"choices": [], "usage": {"prompt_tokens": 1}}],
    ],
)
def test_what_is_no_whole_answer(chunks: list[dict[str, Any]]) -> None:
    with pytest.raises(TryFailed) as caught:
        assemble(*chunks)
    assert caught.value.kind == "garbage" and caught.value.passing


def test_an_event_that_is_no_json() -> None:
    with pytest.raises(TryFailed, match="not JSON"):
        Assembly(CHAT).add(b"data: {oops")
