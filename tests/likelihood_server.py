"""A server that tells log-probabilities of a prompt from a table: a token is a word with the blank in front of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

OTHER = -1.0
"""Of a word that is not in the table."""


class LikelihoodServer:
    def __init__(self, table: Mapping[str, float], says: str) -> None:
        """``says``: ``prompt_logprobs``, ``echo``, ``both`` or ``neither``."""
        self.table, self.says = table, says
        self.prompts: list[str] = []
        self.fails_on = ""
        self.url = ""

    def completion(self, body: dict[str, Any]) -> dict[str, Any]:
        prompt = body["prompt"]
        self.prompts.append(prompt)
        tokens = re.findall(r"\s*\S+", prompt)
        values = [None, *(self.table.get(token.strip(), OTHER) for token in tokens[1:])]
        choice: dict[str, Any] = {"text": " so", "finish_reason": "length"}
        if "prompt_logprobs" in body and self.says in ("prompt_logprobs", "both"):
            choice["prompt_logprobs"] = [None if value is None else {"7": {"logprob": value}} for value in values]
        if body.get("echo") and self.says in ("echo", "both"):
            choice |= {"text": f"{prompt} so", "logprobs": {"token_logprobs": [*values, -3.5]}}
        usage = {"prompt_tokens": len(tokens), "completion_tokens": 1, "total_tokens": len(tokens) + 1}
        return {"choices": [choice], "usage": usage}

    @contextmanager
    def running(self) -> Iterator[LikelihoodServer]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


def _handler(about: LikelihoodServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply(200, {"data": [{"id": "m"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if "/chat/" in self.path or (about.fails_on and body["prompt"].endswith(about.fails_on)):
                self._reply(400, {"error": {"message": "not here"}})
            else:
                self._reply(200, about.completion(body))

        def _reply(self, status: int, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
