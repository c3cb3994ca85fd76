from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from bridge.errors import ServeError
from bridge.serve import Served, check, describe, environment_of, external, serve
from bridge.serve.probe import free_port
from bridge.spec import EndpointSpec, ModelSpec

Handler = Callable[[web.Request], web.StreamResponse]


def lists(*ids: str) -> Handler:
    return lambda request: web.json_response({"object": "list", "data": [{"id": one} for one in ids]})


@asynccontextmanager
async def server(handler: Handler, path: str = "/v1/models") -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return handler(request)

    app = web.Application()
    app.router.add_get(path, handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_server(answer: bytes | None) -> AsyncIterator[str]:
    """Says ``answer`` to whoever connects and hangs up; None: takes the connection and says nothing."""
    writers = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readline()
        if answer is not None:
            writer.write(answer)
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
        for writer in writers:
            writer.close()


def model(base_url: str, *, name: str = "qwen", **fields: object) -> ModelSpec:
    return ModelSpec(name=name, endpoint=EndpointSpec(base_url=base_url, **fields))  # type: ignore[arg-type]


async def served(spec: ModelSpec) -> Served:
    async with serve(spec, python=Path("python"), concurrency=1, log=Path("log"), progress=lambda line: None) as found:
        return found


async def refusal(spec: ModelSpec) -> str:
    with pytest.raises(ServeError) as caught:
        await served(spec)
    return str(caught.value)


async def test_a_server_that_has_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", " s3cret\n")
    seen: list[str] = []

    def handler(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization", ""))
        return lists("llama", "qwen")(request)

    async with server(handler) as base_url:
        found = await served(model(f"{base_url}/", api_key_env="SOME_KEY"))
    assert (found.base_url, found.model, found.identity) == (base_url, "qwen", base_url)
    assert (found.api_key, found.api_key_env) == ("s3cret", "SOME_KEY")
    assert "s3cret" not in repr(found)
    assert seen == ["Bearer s3cret"]
    assert not found.died.is_set()
    assert (found.info.engine, found.info.source) == ("external", f"{base_url}/")


async def test_an_address_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(lists("qwen")) as base_url:
        monkeypatch.setenv("WHERE", base_url)
        found = await served(model("${WHERE}"))
    assert found.base_url == base_url
    assert found.info.source == "${WHERE}"


def test_nothing_is_checked_or_built_beforehand() -> None:
    spec = model("http://127.0.0.1:1/v1")
    assert check(spec) == []
    assert environment_of(spec).lock is None
    assert describe(spec).source == "http://127.0.0.1:1/v1"


@pytest.mark.parametrize("value", [None, "", "  \n"])
async def test_a_key_that_is_not_set(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("SOME_KEY", value)
    said = await refusal(model("http://127.0.0.1:1/v1", api_key_env="SOME_KEY"))
    assert said == "model qwen: SOME_KEY is to hold its API key and is not set; export SOME_KEY=…"


async def test_a_key_with_a_line_break_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "a\nInjected: header")
    said = await refusal(model("http://127.0.0.1:1/v1", api_key_env="SOME_KEY"))
    assert "holds characters that no key has" in said
    assert "Injected" not in said


async def test_nobody_there() -> None:
    base_url = f"http://127.0.0.1:{free_port()}/v1"
    assert await refusal(model(base_url)) == (
        f"model qwen: {base_url}/models: connection refused, nothing listens there; "
        "start the server, or correct endpoint.base_url (the OpenAI API's, up to /v1)"
    )


async def test_no_such_host() -> None:
    assert "the host 'no-such-host.invalid' is not known" in await refusal(model("http://no-such-host.invalid/v1"))


async def test_the_probe_can_be_left_out() -> None:
    assert (await served(model("http://127.0.0.1:1/v1", probe=False))).base_url == "http://127.0.0.1:1/v1"


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_is_not_accepted(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    monkeypatch.setenv("SOME_KEY", "s3cret")
    async with server(lambda request: web.json_response({"error": "no"}, status=status)) as base_url:
        with_key = await refusal(model(base_url, api_key_env="SOME_KEY"))
        without = await refusal(model(base_url))
    assert with_key.endswith(f'answers HTTP {status}: {{"error": "no"}}; it does not accept the API key in SOME_KEY')
    assert without.endswith("it wants an API key: set endpoint.api_key_env")
    assert "s3cret" not in with_key


async def test_out_of_order() -> None:
    async with server(lambda request: web.Response(status=503, text="loading\n the model" + "." * 9999)) as base_url:
        said = await refusal(model(base_url))
    assert "answers HTTP 503: loading the model..." in said
    assert said.endswith("it is there but out of order: wait until it is ready, or look into its log")
    assert len(said) < 400


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_server_that_does_not_list_its_models(status: int) -> None:
    async with server(lambda request: web.Response(status=status)) as base_url:
        assert (await served(model(base_url))).base_url == base_url


async def test_an_address_without_v1() -> None:
    async with server(lists("qwen")) as base_url:
        said = await refusal(model(base_url.removesuffix("/v1")))
    assert said.endswith(f"lacks /v1; write {base_url}")


async def test_another_refusal() -> None:
    async with server(lambda request: web.Response(status=418)) as base_url:
        assert "answers HTTP 418; correct endpoint.base_url" in await refusal(model(base_url))


@pytest.mark.parametrize(
    "body", ["<html>hello</html>", "", "[]", '{"data": 3}', '{"data": [{"name": "x"}]}', "null", "[" * 100_000]
)
async def test_garbage(body: str) -> None:
    async with server(lambda request: web.Response(text=body)) as base_url:
        assert "answers something that is no list of models" in await refusal(model(base_url))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", "the connection was closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "what answers there does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf", "does not speak HTTP"),
    ],
)
async def test_no_http(answer: bytes, expected: str) -> None:
    async with raw_server(answer) as base_url:
        assert expected in await refusal(model(base_url))


async def test_never_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "PROBE_TIMEOUT_S", 0.2)
    async with raw_server(None) as base_url:
        assert f"{base_url}/models gave no answer within 0.2 s; start the server" in await refusal(model(base_url))


async def test_a_name_that_it_does_not_have() -> None:
    async with server(lists("Qwen3-0.6B", "llama")) as base_url:
        near = await refusal(model(base_url, name="qwen3-0.6b-instruct"))
        far = await refusal(model(base_url, name="zzz"))
    assert f"{base_url} does not serve 'qwen3-0.6b-instruct'; it has: Qwen3-0.6B, llama" in near
    assert "did you mean 'Qwen3-0.6B'?" in near
    assert "set model.name to one of them (endpoint.probe: false asks it anyway)" in far


async def test_a_long_list_is_cut_and_an_empty_one_is_said() -> None:
    async with server(lists(*(f"m{n}" for n in range(300)))) as base_url:
        assert "it has: m0, m1, m2, m3, m4, m5, m6, m7 and 292 more;" in await refusal(model(base_url))
    async with server(lists()) as base_url:
        assert "it has: no model at all" in await refusal(model(base_url))
