from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import aiohttp
import pytest
from endpoint_asks import KEY, MARKER, Framework, NewClient, greedy
from fault_server import OK, Fault, FaultServer, answer_to

from bridge.endpoint import gateway as gateway_module
from bridge.endpoint.cache import RequestStore
from bridge.endpoint.gateway import Gateway
from bridge.endpoint.totals import failures

Seen = tuple[int, dict[str, Any]]


async def test_a_question_and_its_answer(errors: Framework, gateway: Gateway, server: FaultServer) -> None:
    assert await errors.text(greedy("how much?")) == answer_to("how much?")
    assert gateway.counts("errors") == (1, 0, 0, 0)
    assert gateway.counts("marks") == (0, 0, 0, 0)


async def test_a_completion(errors: Framework) -> None:
    status, answer = await errors.post({"model": "m", "temperature": 0, "prompt": "once"}, "/completions")
    assert (status, answer["choices"][0]["text"]) == (200, answer_to("once"))


async def test_the_models(errors: Framework, server: FaultServer) -> None:
    async with errors.session.get(errors.url + "/models", headers=errors.headers) as response:
        assert [model["id"] for model in (await response.json())["data"]] == [server.model]
    await server.stop()
    async with errors.session.get(errors.url + "/models", headers=errors.headers) as response:
        assert response.status == 502
        assert "connection refused" in (await response.json())["error"]["message"]


async def test_a_model_is_listed_under_the_name_that_jobs_send(
    new_client: NewClient, session: aiohttp.ClientSession, server: FaultServer
) -> None:
    server.model = "once-4711"
    client = await new_client(rename={"qwen": "once-4711"})
    async with Gateway(client, token="t", failed_marker=MARKER) as gateway:
        gateway.register("one", on_failure="error", concurrency=1)
        framework = Framework(gateway, session, "one")
        async with session.get(framework.url + "/models", headers=framework.headers) as response:
            assert [model["id"] for model in (await response.json())["data"]] == ["qwen"]
        await framework.text(greedy("x", model="qwen"))
    assert server.journal[0].body["model"] == "once-4711"


async def test_it_listens_on_this_machine_only(gateway: Gateway) -> None:
    assert gateway.job_url("errors") == f"http://127.0.0.1:{gateway.port}/s/errors/v1"
    assert gateway.job_url("a/b c") == f"http://127.0.0.1:{gateway.port}/s/a%2Fb%20c/v1"


@pytest.mark.parametrize("name", ["a/b c", "modell-ü", "qwen.opencompass+x@1~2F", "100%"])
async def test_any_name_of_a_job(gateway: Gateway, session: aiohttp.ClientSession, name: str) -> None:
    assert not gateway.knows(name)
    gateway.register(name, on_failure="error", concurrency=1)
    assert gateway.knows(name)
    assert await Framework(gateway, session, name).text(greedy("x")) == answer_to("x")
    assert gateway.counts(name).requests == 1


@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer wrong", "token-of-this-run", f"Bearer {KEY}"])
async def test_without_the_token_nothing(errors: Framework, server: FaultServer, given: str | None) -> None:
    errors.headers = {} if given is None else {"Authorization": given}
    status, answer = await errors.post(greedy("x"))
    assert (status, answer["error"]["type"]) == (401, "invalid_request_error")
    assert not server.journal


async def test_unknown_paths_are_refused_by_name(errors: Framework, gateway: Gateway, server: FaultServer) -> None:
    status, answer = await errors.post({"input": "x"}, "/embeddings")
    assert status == 404
    assert answer["error"]["message"] == (
        "POST /s/errors/v1/embeddings: not offered here; "
        "there are POST /chat/completions, POST /completions and GET /models below the base URL"
    )
    assert gateway.counts("errors").failed == 1
    async with errors.session.get(errors.url + "/files", headers=errors.headers) as response:
        assert response.status == 404
    errors.url = errors.url.replace("errors", "nobody")
    status, answer = await errors.post(greedy("x"))
    assert status == 404 and "no such job" in answer["error"]["message"]
    assert not server.journal


@pytest.mark.parametrize("raw", [b"", b"no json", b"[1]", b'"text"', b'{"a": NaN}'])
async def test_a_body_that_is_no_request(
    errors: Framework, gateway: Gateway, requests: Path, store: RequestStore, raw: bytes
) -> None:
    url = f"{errors.url}/chat/completions"
    async with errors.session.post(url, data=raw, headers=errors.headers) as response:
        assert response.status == 400
        assert "JSON" in (await response.json())["error"]["message"]
    assert gateway.counts("errors") == (1, 0, 1, 0)
    store.close()
    assert failures(requests, "errors")["refused-by-server"].n == 1


async def test_too_large_a_body(errors: Framework, monkeypatch: pytest.MonkeyPatch, server: FaultServer) -> None:
    monkeypatch.setattr(gateway_module, "_LARGEST_BODY", 1 << 20)
    status, answer = await errors.post(greedy("x" * (2 << 20)))
    assert status == 413 and "1 MiB" in answer["error"]["message"]
    assert not server.journal


async def test_a_body_with_pictures(errors: Framework, server: FaultServer) -> None:
    prompt = "x" * (20 << 20)
    assert await errors.text(greedy(prompt)) == answer_to(prompt)


async def test_the_real_key_goes_to_the_server_and_the_token_does_not(errors: Framework, server: FaultServer) -> None:
    await errors.text(greedy("x"))
    assert server.journal[0].headers["Authorization"] == f"Bearer {KEY}"
    server.default = Fault(status=400, message=f"you sent {KEY}")
    _, answer = await errors.post(greedy("y"))
    assert answer["error"]["message"] == "400 Bad Request: you sent ***"


async def test_everything_is_recorded(
    errors: Framework, marks: Framework, server: FaultServer, store: RequestStore, requests: Path, hasty: None
) -> None:
    server.script(Fault(status=500), OK)
    await errors.text(greedy("answered"))
    await marks.text(greedy("answered"))
    server.script(Fault(status=400, message="not that"))
    await marks.text(greedy("refused"))
    store.close()
    columns = "job, status, tries, cached, prompt_tokens, finish_reason, error, message, latency_s > 0, length(key)"
    with closing(connect(requests)) as connection:
        rows = connection.execute(f"SELECT {columns} FROM requests ORDER BY id").fetchall()
        dump = "\n".join(connection.iterdump())
    refusal = "400 Bad Request: not that"
    assert rows == [
        ("errors", 200, 2, 0, 8, "stop", None, None, 1, 32),
        ("marks", 200, 0, 1, None, None, None, None, 1, 32),
        ("marks", 400, 1, 0, None, None, "refused-by-server", refusal, None, 32),
    ]
    assert KEY not in dump and "token-of-this-run" not in dump
    assert json.dumps(greedy("refused")) not in dump
