from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import aiohttp
import pytest
from endpoint_asks import KEY, MARKER, NewClient, greedy, sampling
from fault_server import OK, Fault, FaultServer, answer_to

from bridge.endpoint import gateway as gateway_module
from bridge.endpoint.cache import RequestStore
from bridge.endpoint.client import Client
from bridge.endpoint.gateway import Gateway
from bridge.endpoint.traffic import failures, usage

Seen = tuple[int, dict[str, Any]]


class Framework:
    """A framework's plain HTTP client, for one job."""

    def __init__(self, gateway: Gateway, session: aiohttp.ClientSession, job: str) -> None:
        self.url, self.session = gateway.job_url(job), session
        self.headers = {"Authorization": f"Bearer {gateway.token}"}

    async def post(self, body: Any, path: str = "/chat/completions") -> Seen:
        data = io.BytesIO(json.dumps(body).encode())
        async with self.session.post(self.url + path, data=data, headers=self.headers) as response:
            return response.status, await response.json()

    async def text(self, body: dict[str, Any]) -> str:
        status, answer = await self.post(body)
        assert status == 200, answer
        text: str = answer["choices"][0]["message"]["content"]
        return text


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as opened:
        yield opened


@pytest.fixture
def errors(gateway: Gateway, session: aiohttp.ClientSession) -> Framework:
    return Framework(gateway, session, "errors")


@pytest.fixture
def marks(gateway: Gateway, session: aiohttp.ClientSession) -> Framework:
    return Framework(gateway, session, "marks")


# The door


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


# One question, one request


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


async def test_ten_thousand_at_256_in_flight_each_get_their_own(
    new_client: NewClient, server: FaultServer, session: aiohttp.ClientSession
) -> None:
    server.default, server.jitter = Fault(latency_s=0.005), True
    client = await new_client(concurrency=256, timeout_s=60.0)
    async with Gateway(client, token="t", failed_marker=MARKER) as gateway:
        for job in ("a", "b"):
            gateway.register(job, on_failure="error", concurrency=256)
        frameworks = [Framework(gateway, session, job) for job in ("a", "b")]
        numbers = iter(range(10_000))

        async def work() -> int:
            right = 0
            for n in numbers:
                # Every fourth question was asked before, or is being asked now.
                prompt = f"question {n - n % 4 * (n % 97)}"
                right += await frameworks[n % 2].text(greedy(prompt)) == answer_to(prompt)
            return right

        assert sum(await asyncio.gather(*(work() for _ in range(256)))) == 10_000
        assert gateway.counts("a").requests + gateway.counts("b").requests == 10_000
    assert len(server.journal) == len(set(server.prompts)) < 10_000


# Repeats


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


# Failures


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
    client = await new_client(max_retries=1, timeout_s=0.2)
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


async def test_a_model_that_says_nothing_says_an_empty_text(
    errors: Framework, gateway: Gateway, server: FaultServer
) -> None:
    server.default = Fault(mode="null-content")
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


# Clients that go away


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
    server.default = Fault(status=500, latency_s=0.2)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(errors.post(greedy("x")), 0.1)
    await asyncio.sleep(0.5)
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


# The record


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
