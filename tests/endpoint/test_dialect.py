"""What ms-swift misreads is put right, or refused: no score rests on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bridge.endpoint.answer import RequestFailed
from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import Client
from bridge.endpoint.dialect import DIALECTS

SWIFT = DIALECTS["swift"]
CHAT = "/chat/completions"


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0, **fields}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_completion_tokens": 5}, {"max_tokens": 5}),
        ({"max_completion_tokens": 5, "max_tokens": 9}, {"max_tokens": 5}),
        ({"max_tokens": 9, "seed": 7}, {"max_tokens": 9}),
        ({"stop": ["x"]}, {"stop": ["x"]}),
    ],
)
def test_a_request_is_translated(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert SWIFT.asked(body(**fields)) == body(**expected)


@pytest.mark.parametrize(
    ("path", "fields", "told"),
    [
        ("/completions", {}, "puts a chat template around the text"),
        (CHAT, {"response_format": {"type": "json_object"}}, "ignores response_format"),
        (CHAT, {"stream": True, "stop": ["x"]}, "a stream cannot be cut"),
        (CHAT, {"response_format": {"type": "text"}, "stream": True}, ""),
    ],
)
def test_what_cannot_be_honoured_is_refused(path: str, fields: dict[str, Any], told: str) -> None:
    refusal = SWIFT.refusal(path, body(**fields))
    assert told in refusal if told else refusal == ""


@pytest.mark.parametrize(
    ("stop", "text", "expected"),
    [
        (["8"], "18", "1"),
        ("8", "18", "1"),
        (["\n", "3"], "1234\n", "12"),
        (["z"], "1234", "1234"),
        (None, "1234", "1234"),
        ([""], "1234", "1234"),
    ],
)
def test_a_stop_string_is_cut_off(stop: Any, text: str, expected: str) -> None:
    answer = {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "length"}]}
    found = SWIFT.read(answer, body(stop=stop))
    assert found["choices"][0]["message"]["content"] == expected
    assert found["choices"][0]["finish_reason"] == ("stop" if expected != text else "length")
    assert answer["choices"][0]["message"]["content"] == text  # type: ignore[index]


async def test_a_client_speaks_it_and_its_cache_holds_what_was_put_right(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return web.json_response({"choices": [{"message": {"content": "1 apple 2"}}]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    options: dict[str, Any] = {"api_key": None, "concurrency": 2, "max_retries": 0, "timeout_s": 5, "dialect": "swift"}
    try:
        with RequestStore(tmp_path / "requests.sqlite") as store:
            async with Client(url, store=store, **options) as client:
                first = await client.ask(CHAT, body(stop=["apple"], seed=3, max_completion_tokens=4), job="j")
                again = await client.ask(CHAT, body(stop=["apple"], seed=3, max_completion_tokens=4), job="j")
                with pytest.raises(RequestFailed, match="chat template"):
                    await client.ask("/completions", {"model": "m", "prompt": "x"}, job="j")
    finally:
        await runner.cleanup()
    assert (first.text, again.text, again.cached) == ("1 ", "1 ", True)
    assert asked == [body(stop=["apple"], max_tokens=4)]
