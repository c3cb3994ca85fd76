"""What an endpoint can do: a server that does everything, and one that takes every field and heeds none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from command import bridge

from bridge.errors import ServeError
from bridge.serve.abilities import Ability, abilities, likelihood_way

ANSWER = "one two three four five"


class Server(BaseHTTPRequestHandler):
    heeds = True

    def do_GET(self) -> None:
        self._reply(200, {"data": [{"id": "m"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        raw = self.path.endswith("/completions") and "/chat/" not in self.path
        if self.heeds and body.get("stream"):
            self._events()
            return
        image = not raw and isinstance(body["messages"][0]["content"], list)
        if image and not self.heeds:
            self._reply(400, {"message": "no images here"})
            return
        choices = [self._choice(body, raw)] * (body.get("n", 1) if self.heeds else 1)
        tokens = 9 if raw and self.heeds else 20
        completion = body.get("max_completion_tokens", 5) if self.heeds else 5
        self._reply(200, {"choices": choices, "usage": {"prompt_tokens": tokens, "completion_tokens": completion}})

    def _choice(self, body: dict[str, Any], raw: bool) -> dict[str, Any]:
        if raw:
            choice: dict[str, Any] = {"text": ANSWER}
            return choice | ({"prompt_logprobs": [None, {"7": {"logprob": -0.5}}]} if self.heeds else {})
        content = body["messages"][0]["content"]
        text = ANSWER if isinstance(content, str) else content[0]["image_url"]["url"]
        if stop := body.get("stop"):
            text = text[: text.index(stop[0]) + (0 if self.heeds else len(stop[0]))]
        if self.heeds and "response_format" in body:
            text = "{}"
        message = {"content": text} | ({"tool_calls": [{}]} if self.heeds and "tools" in body else {})
        found: dict[str, Any] = {"message": message}
        return found | ({"logprobs": {"content": [{}]}} if self.heeds and body.get("logprobs") else {})

    def _events(self) -> None:
        self._send(200, "text/event-stream", b'data: {"choices": []}\n\ndata: {"choices": []}\n\ndata: [DONE]\n\n')

    def _reply(self, status: int, value: object) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class Deaf(Server):
    heeds = False


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture(params=[Server, Deaf], ids=["able", "deaf"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with listening(request.param) as served:
        yield served


def asked(url: str) -> dict[str, Ability]:
    async def everything() -> list[Ability]:
        return [one async for one in abilities(url, "m", api_key=None, timeout_s=20)]

    return {one.name: one for one in asyncio.run(everything())}


def test_each_ability_is_told_from_what_came_back(url: str, request: pytest.FixtureRequest) -> None:
    found = asked(url)
    verdicts = {name: one.verdict for name, one in found.items()}
    if request.node.callspec.id == "able":
        assert set(verdicts.values()) == {"yes"}
        return
    assert {name for name, verdict in verdicts.items() if verdict == "yes"} == {"chat", "seed"}
    assert (verdicts["images"], found["images"].detail) == ("no", 'HTTP 400: {"message": "no images here"}')
    assert found["stop"].detail == "the stop string is left in the text"
    assert found["n"].detail == "1 answer instead of 2"
    assert found["completions"].detail == "the chat template is applied to it too: 20 tokens as in chat"
    assert {verdicts[name] for name in verdicts.keys() - {"chat", "seed", "images"}} == {"ignored"}


def test_the_command(url: str) -> None:
    done = bridge("serve", "--check", url)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(f"{url}: m\n  chat                  yes      'one two three four five'\n")


def test_nobody_there() -> None:
    done = bridge("serve", "--check", "http://127.0.0.1:9/v1")
    assert done.exit_code == 4
    assert "connection refused" in done.stderr


def test_what_is_to_be_given() -> None:
    done = bridge("serve")
    assert done.exit_code == 2
    assert "give either a spec to serve, or --check URL" in done.stderr


# Log-probabilities of a prompt ------------------------------------------------------------------------------------


class Telling(Server):
    """Tells log-probabilities in the form that ``says`` names, and refuses the other way where ``strict``."""

    says = ""
    strict = False

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        way = "prompt_logprobs" if "prompt_logprobs" in body else "echo"
        if self.strict and way != self.says:
            self._reply(400, {"error": {"message": f"{way} is unknown here"}})
            return
        tokens = [0.0] * 3 if self.says != "template" else [0.0] * 20
        told: dict[str, Any] = {"text": body["prompt"] + "x", "logprobs": {"token_logprobs": [None, *tokens]}}
        if self.says != "echo":
            told = {"text": "x", "prompt_logprobs": [None, *({"5": {"logprob": -1.0}} for _ in tokens)]}
        self._reply(200, {"choices": [told], "usage": {"prompt_tokens": 3}})


@pytest.mark.parametrize(
    ("says", "strict", "way"),
    [("prompt_logprobs", False, "prompt_logprobs"), ("echo", False, "echo"), ("echo", True, "echo")],
)
def test_how_a_server_tells_likelihoods(says: str, strict: bool, way: str) -> None:
    with listening(type("S", (Telling,), {"says": says, "strict": strict})) as url:
        assert asyncio.run(likelihood_way(url, "m", api_key=None, timeout_s=20)) == way


def test_tokens_of_a_chat_template_are_no_likelihood_of_the_text() -> None:
    neither = pytest.raises(ServeError, match=r"neither prompt_logprobs nor echo.*model\.local")
    with listening(type("S", (Telling,), {"says": "template"})) as url, neither:
        asyncio.run(likelihood_way(url, "m", api_key=None, timeout_s=20))


def test_a_server_that_fails_is_told_as_that() -> None:
    class Broken(Server):
        def do_POST(self) -> None:
            self._reply(500, {"error": "out of memory"})

    with listening(Broken) as url, pytest.raises(ServeError, match="the server failed: HTTP 500"):
        asyncio.run(likelihood_way(url, "m", api_key=None, timeout_s=20))


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_what_it_can_do(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is not taken for one that knows no such thing."""
    left = [status, status]

    class Busy(Telling):
        says, strict = "prompt_logprobs", False

        def do_POST(self) -> None:
            if left:
                self.rfile.read(int(self.headers["Content-Length"]))
                self._reply(left.pop(), {"message": "busy"})
            else:
                super().do_POST()

    monkeypatch.setattr("bridge.serve.abilities._PAUSES_S", (0.01, 0.01, 0.01))
    with listening(Busy) as url:
        assert asyncio.run(likelihood_way(url, "m", api_key=None, timeout_s=20)) == "prompt_logprobs"


def test_a_wrong_key_is_not_a_server_that_cannot() -> None:
    class Locked(Server):
        def do_POST(self) -> None:
            self._reply(401, {"message": "wrong key"})

    with listening(Locked) as url, pytest.raises(ServeError, match="HTTP 401"):
        asyncio.run(likelihood_way(url, "m", api_key=None, timeout_s=20))
