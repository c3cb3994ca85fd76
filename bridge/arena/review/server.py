"""The page for one person: it hands out comparisons and takes votes, on loopback, to whoever has the token."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
import signal
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

import orjson
from aiohttp import web

from bridge.arena.review.ballot import CHOICES, Ballot, Item, Refused, held
from bridge.errors import OutputError, Problem, SpecError
from bridge.native.arena.battle import FLIPPED
from bridge.view.guard import HEADERS, LOOPBACK_NAMES

COOKIE = "bridge-review"
HOST = "127.0.0.1"
ASSETS = {"review.js": "text/javascript", "review.css": "text/css"}
LONGEST_NOTE = 10_000
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serve(ballot: Ballot, port: int, tell: Callable[[str], None]) -> None:
    """Until Ctrl-C. Raises SpecError where it cannot listen, OutputError where this person is voting already."""
    with held(ballot.folder, ballot.annotator):
        asyncio.run(_serve(ballot, port, tell))


def application(ballot: Ballot, token: str) -> web.Application:
    review = Review(ballot)
    app = web.Application(middlewares=[_guard(token)], client_max_size=64 * 1024)
    app.router.add_get("/", review.page)
    app.router.add_get("/assets/{name}", review.asset)
    app.router.add_get("/next", review.next)
    app.router.add_get("/favicon.ico", review.nothing)
    for name in ("vote", "skip", "undo"):
        app.router.add_post(f"/{name}", getattr(review, name))
    return app


class Review:
    def __init__(self, ballot: Ballot) -> None:
        self.ballot = ballot

    async def page(self, request: web.Request) -> web.Response:
        return web.Response(text=_asset("review.html"), content_type="text/html")

    async def asset(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in ASSETS:
            raise web.HTTPNotFound
        return web.Response(text=_asset(name), content_type=ASSETS[name])

    async def nothing(self, request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def next(self, request: web.Request) -> web.Response:
        return self._shown(self.ballot.next())

    async def vote(self, request: web.Request) -> web.Response:
        said = await _said(request)
        choice, note = said.get("choice"), said.get("note", "")
        if choice not in CHOICES or not isinstance(note, str) or len(note) > LONGEST_NOTE:
            raise web.HTTPBadRequest(text="not a vote\n")
        item = self.ballot.vote(_item_of(said), choice, note.strip())
        return self._shown(self.ballot.next(), revealed=item)

    async def skip(self, request: web.Request) -> web.Response:
        self.ballot.skip(_item_of(await _said(request)))
        return self._shown(self.ballot.next())

    async def undo(self, request: web.Request) -> web.Response:
        return self._shown(self.ballot.undo() or self.ballot.next())

    def _shown(self, item: Item | None, revealed: Item | None = None) -> web.Response:
        ballot = self.ballot
        said = {
            "annotator": ballot.annotator,
            "item": None if item is None else self._item(item),
            "revealed": None if revealed is None else _names(revealed),
            "progress": ballot.progress(),
            "can_undo": bool(ballot.own),
            "agreement": [
                {"with": name, "n": one.n, "same": one.accuracy, "kappa": one.kappa}
                for name, one in sorted(ballot.agreement().items())
            ],
        }
        return web.Response(body=orjson.dumps(said), content_type="application/json")

    def _item(self, item: Item) -> dict[str, Any]:
        """Without the models' names."""
        question = item.match.question
        right = FLIPPED[item.left]
        return {
            "id": item.id,
            "category": question.category,
            "turn": item.turn,
            "turns": list(question.turns[: item.turn]),
            "references": [text for text in question.references[: item.turn] if text],
            "left": list(self.ballot.texts(item, item.left)),
            "right": list(self.ballot.texts(item, right)),
        }


def _names(item: Item) -> dict[str, str]:
    return {"left": item.model(item.left), "right": item.model(FLIPPED[item.left])}


def _item_of(said: dict[str, Any]) -> str:
    found = said.get("id")
    if not isinstance(found, str):
        raise web.HTTPBadRequest(text="say which comparison\n")
    return found


async def _said(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    try:
        said = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise web.HTTPBadRequest(text="not JSON\n") from None
    if not isinstance(said, dict):
        raise web.HTTPBadRequest(text="not a JSON object\n")
    return said


def _asset(name: str) -> str:
    return files("bridge.arena.review.assets").joinpath(name).read_text(encoding="utf-8")


def _guard(token: str) -> Any:
    """Only this machine's own names, only this page's own requests, only who has the token."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = _refused(request, token) or await handler(request)
        except web.HTTPException as refused:
            response = web.Response(status=refused.status, text=refused.text, content_type="text/plain")
        except Refused as error:
            response = web.Response(status=409, text=f"{error}\n", content_type="text/plain")
        except OutputError as error:
            response = web.Response(status=500, text=f"{error}\n", content_type="text/plain")
        response.headers.update(HEADERS)
        return response

    return guarded


def _refused(request: web.Request, token: str) -> web.StreamResponse | None:
    host = request.host.rsplit(":", 1)[0].lower()
    if host not in LOOPBACK_NAMES:
        raise web.HTTPForbidden(text=f"this server is not {request.host[:80]!r}\n")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise web.HTTPForbidden(text="another site asks for this page: open it from the address bar\n")
    origin = request.headers.get("Origin")
    if origin not in ((None,) if request.method == "GET" else (None, f"http://{request.host}")):
        raise web.HTTPForbidden(text="another site asks for this page\n")
    given = request.query.get("token")
    if given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()):
        # The token leaves the address at once, so that it is in no history.
        entered = web.Response(status=303, headers={"Location": "/"})
        entered.set_cookie(COOKIE, token, httponly=True, samesite="Strict")
        return entered
    held_token = request.cookies.get(COOKIE, "")
    if not hmac.compare_digest(held_token.encode("utf-8", "replace"), token.encode()):
        raise web.HTTPUnauthorized(text="open the address that bridge arena review has printed: it has the token\n")
    return None


async def _serve(ballot: Ballot, port: int, tell: Callable[[str], None]) -> None:
    token = secrets.token_urlsafe(24)
    runner = web.AppRunner(application(ballot, token), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port, shutdown_timeout=1.0)
        try:
            await site.start()
        except OSError as error:
            why = f"{HOST}:{port}: {error.strerror or error}"
            raise SpecError([Problem("--port", "", why, "--port 0 takes one that is free")]) from None
        tell(f"http://{HOST}:{runner.addresses[0][1]}/?token={token}")
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError, RuntimeError):
                asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        await stopped.wait()
    finally:
        await runner.cleanup()
