"""The real OpenAI client against the gateway, as frameworks use it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import openai
import pytest
from endpoint_asks import MARKER
from fault_server import MODEL, Fault, FaultServer, answer_to

from bridge.endpoint.gateway import Gateway


@pytest.fixture
def errors(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gateway.job_url("errors"), api_key=gateway.token) as client:
        yield client


@pytest.fixture
def marks(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gateway.job_url("marks"), api_key=gateway.token) as client:
        yield client


def chat(client: openai.OpenAI, prompt: str = "x") -> str | None:
    messages = [{"role": "user", "content": prompt}]
    answer = client.chat.completions.create(model=MODEL, messages=messages, temperature=0)  # type: ignore[arg-type]
    assert answer.usage is not None and answer.choices[0].finish_reason == "stop"
    return answer.choices[0].message.content


def stream(client: openai.OpenAI) -> tuple[str, int]:
    """The text, and the prompt's tokens."""
    text, tokens = "", -1
    with client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "x"}],
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    ) as chunks:
        for chunk in chunks:
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            tokens = chunk.usage.prompt_tokens if chunk.usage else tokens
    return text, tokens


async def test_chat(errors: openai.OpenAI) -> None:
    for _ in range(2):
        assert await asyncio.to_thread(chat, errors) == answer_to("x")


async def test_completion(errors: openai.OpenAI) -> None:
    answer = await asyncio.to_thread(errors.completions.create, model=MODEL, prompt="x", temperature=0)
    assert answer.choices[0].text == answer_to("x")


async def test_models(errors: openai.OpenAI) -> None:
    listed = await asyncio.to_thread(errors.models.list)
    assert [model.id for model in listed.data] == [MODEL]


async def test_streams_live_and_replayed(errors: openai.OpenAI, server: FaultServer) -> None:
    assert await asyncio.to_thread(stream, errors) == (answer_to("x"), 1)
    assert await asyncio.to_thread(stream, errors) == (answer_to("x"), 1)
    assert len(server.journal) == 1


async def test_async_with_many_at_once(gateway: Gateway, server: FaultServer) -> None:
    server.default, server.jitter = Fault(latency_s=0.01), True
    async with openai.AsyncOpenAI(base_url=gateway.job_url("errors"), api_key=gateway.token) as client:

        async def ask(n: int) -> str | None:
            messages = [{"role": "user", "content": f"{n}"}]
            answer = await client.chat.completions.create(model=MODEL, messages=messages, temperature=0)  # type: ignore[arg-type]
            return answer.choices[0].message.content

        answers = await asyncio.gather(*(ask(n) for n in range(60)))
    assert answers == [answer_to(f"{n}") for n in range(60)]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(status=400), openai.BadRequestError),
        (Fault(status=429), openai.RateLimitError),
        (Fault(status=500), openai.InternalServerError),
        (Fault(mode="garbage"), openai.InternalServerError),
    ],
)
async def test_what_finally_failed_is_not_asked_again(
    errors: openai.OpenAI,
    gateway: Gateway,
    server: FaultServer,
    fault: Fault,
    error: type[openai.APIError],
    hasty: None,
) -> None:
    server.default = fault
    with pytest.raises(error):
        await asyncio.to_thread(chat, errors)
    assert gateway.counts("errors") == (1, 0, 1, 0)


async def test_a_wrong_token(gateway: Gateway) -> None:
    with (
        openai.OpenAI(base_url=gateway.job_url("errors"), api_key="wrong") as client,
        pytest.raises(openai.AuthenticationError, match="token of this run"),
    ):
        await asyncio.to_thread(chat, client)


async def test_a_stream_that_breaks_off_raises(errors: openai.OpenAI, server: FaultServer) -> None:
    server.default = Fault(mode="break-stream")
    with pytest.raises(openai.APIError):
        await asyncio.to_thread(stream, errors)


async def test_a_placeholder_is_an_answer_to_it(marks: openai.OpenAI, server: FaultServer) -> None:
    server.default = Fault(status=400)
    assert await asyncio.to_thread(chat, marks) == MARKER
    assert (await asyncio.to_thread(stream, marks))[0] == MARKER
