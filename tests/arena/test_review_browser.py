"""The page to vote on in a real Chromium: keys, undo, hostile answers."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from arena.arenas import make_answers, make_questions, rows_of, write_spec
from arena.test_run import arena
from fault_server import FaultServer
from report.test_browser import Visit, chromium

from bridge.arena.add import spec_of
from bridge.arena.review.ballot import Ballot
from bridge.arena.review.server import application
from bridge.native.arena.folder import ArenaFolder

pytestmark = pytest.mark.env
__all__ = ["chromium"]
HOSTILE = (
    "<img src=x onerror=alert(1)><script>alert(2)</script></div><style>body{display:none}</style>\n"
    "```python\nprint('<b>not bold</b>')\n```\njavascript:alert(3) \u202e quality 3"
)


@pytest.fixture
def page(tmp_path: Path, server: FaultServer) -> Iterator[tuple[str, Path]]:
    make_questions(tmp_path, 3)
    models = {
        "hostile": make_answers(tmp_path, "hostile", [HOSTILE] * 3),
        "plain": make_answers(tmp_path, "plain", [9, 2, 9]),
    }
    run = tmp_path / "run"
    assert arena(write_spec(tmp_path, server.base_url, models), run).exit_code == 0
    ballot = Ballot.of(ArenaFolder(run), spec_of(run), "anna")
    with _served(application(ballot, "secret")) as port:
        yield f"http://127.0.0.1:{port}/?token=secret", run


@contextmanager
def _served(app: web.Application) -> Iterator[int]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> tuple[web.AppRunner, int]:
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, runner.addresses[0][1]

    runner, port = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield port
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def press(browser: Any, key: str) -> None:
    browser.keyboard.press(key)
    browser.wait_for_selector("body[aria-busy=false]")


def test_keys_undo_and_what_hostile_answers_may_not_do(chromium: Any, page: tuple[str, Path]) -> None:
    address, run = page
    visit = Visit(chromium, address, viewport={"width": 1280, "height": 800})
    browser = visit.page
    browser.wait_for_selector("#question .text")
    shown = visit.text("#answers")
    assert "<img src=x onerror=alert(1)>" in shown
    assert "\\u202e quality 3" in shown
    assert "print('<b>not bold</b>')" in visit.text("#answers .code")
    assert "hostile" not in visit.text("header")
    browser.keyboard.press("n")
    browser.keyboard.type("a note 120")
    browser.keyboard.press("Enter")
    press(browser, "1")
    assert "1 of 3 seen" in visit.text("#progress")
    (row,) = rows_of(run, "votes/anna.jsonl")
    assert row["judgment"] == "a note 120"
    assert (row["verdict"] == "a") is (row["shown_first"] == "a")
    assert "Left was " in visit.text("#last")
    press(browser, "s")
    press(browser, "u")
    assert "0 of 3 seen" in visit.text("#progress")
    assert rows_of(run, "votes/anna.jsonl") == []
    for key in "0x2":
        press(browser, key)
    assert "Nothing is left" in visit.text("#message")
    assert [row["parser"] for row in rows_of(run, "votes/anna.jsonl")] == ["vote", "vote_both_bad", "vote"]
    assert "with judge" in visit.text("#agreement")
    assert (visit.complaints, visit.failures) == ([], [])
    assert {url.split("/")[2] for url in visit.requests} == {address.split("/")[2]}


def test_what_it_looks_like(chromium: Any, page: tuple[str, Path]) -> None:
    """``BRIDGE_SCREENSHOT=FILE`` keeps the picture for the documentation."""
    address, _ = page
    visit = Visit(chromium, address, viewport={"width": 1280, "height": 720})
    visit.page.wait_for_selector("#question .text")
    boxes = [visit.page.locator(f"#{side}").bounding_box() for side in ("left", "right")]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    picture = visit.page.screenshot(path=os.environ.get("BRIDGE_SCREENSHOT"))
    assert len(picture) > 10_000
