"""What the tests of the endpoint ask, and with which secrets."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import aiohttp
from fault_server import MODEL

from bridge.endpoint.gateway import Gateway

KEY = "sk-real-and-very-secret"
MARKER = "[[unanswered-1234]]"

NewClient = Callable[..., Any]
"""An async factory of clients; takes the settings that are to be other than usual."""


def greedy(prompt: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "temperature": 0, "messages": [{"role": "user", "content": prompt}], **more}


def sampling(prompt: str, **more: Any) -> dict[str, Any]:
    return greedy(prompt, **{"temperature": 0.8, **more})


Seen = tuple[int, dict[str, Any]]
"""Status and body of a response."""


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
