"""Runs to look at, and a server over them within the test's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from runs import marks, write_run

from bridge.report.sample_index import index_path, write_index
from bridge.report.schema import ErrorKind, ReportError
from bridge.view.guard import Door
from bridge.view.library import Library
from bridge.view.server import Server
from bridge.view.work import Work


def two_runs(root: Path) -> Path:
    """``base`` and ``sft``: gsm8k with every state, mmlu with two subsets; sft lost 3 and won 1 of gsm8k."""
    sets: dict[str, dict[str, Any]] = {
        "base": {"marks": "11110000e1", "day": 1},
        "sft": {"marks": "10001000e1", "day": 2},
    }
    for name, about in sets.items():
        gsm8k = marks(about["marks"], target="42")
        gsm8k[4] = gsm8k[4].model_copy(update={"extracted": None})
        gsm8k[5] = gsm8k[5].model_copy(update={"finish_reason": "length"})
        mmlu = [*marks("1100", subset="algebra"), *marks("1110", subset="law & order")]
        write_run(
            root / name,
            {"gsm8k": gsm8k, "mmlu": mmlu},
            model=f"org/{name}",
            run={
                "name": "nightly",
                "id": name,
                "started_at": f"2026-01-0{about['day']}T00:00:00+00:00",
                "spec_sha256": name * 8,
            },
            errors=(ReportError(kind=ErrorKind.UNANSWERED, message="HTTP 500", backend="native", dataset="gsm8k"),),
        )
        (root / name / "spec.yaml").write_text(f"name: nightly\nlimit: {about['day']}\n")
        (root / name / "manifest.json").write_text("{}")
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With their indexes, as ``bridge run`` leaves them."""
    root = two_runs(tmp_path / "runs")
    index_runs(root)
    return root


def index_runs(*folders: Path) -> None:
    for run in Library(folders).runs():
        write_index(run.sources, index_path(run.root))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BRIDGE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


Open = Callable[..., Coroutine[Any, Any, "Site"]]


class Site:
    """A client of one server."""

    def __init__(self, client: TestClient[Any, Any]) -> None:
        self.client = client

    async def get(self, address: str, status: int = 200, **headers: str) -> str:
        """Waits while the page is being made."""
        for _ in range(200):
            async with self.client.get(address, headers=headers, allow_redirects=False) as answer:
                text = await answer.text()
                assert answer.status == status, f"{address}: {answer.status}\n{text[:2_000]}"
            if 'http-equiv="refresh"' not in text:
                return text
            await asyncio.sleep(0.05)
        raise AssertionError(f"{address} was never made")


@pytest.fixture
async def visit(tmp_path: Path) -> AsyncIterator[Open]:
    """Opens a server over folders."""
    clients: list[TestClient[Any, Any]] = []

    async def opened(*folders: Path, door: Door | None = None) -> Site:
        server = Server(Library(folders), Work(tmp_path / "home" / "view"))
        client = TestClient(TestServer(server.app(door or Door("127.0.0.1", None))))
        clients.append(client)
        await client.start_server()
        return Site(client)

    yield opened
    for client in clients:
        await client.close()
