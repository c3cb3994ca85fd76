"""Who is answered, and under which rules the answer may be shown.

A page on the internet can make a browser ask this server: it is told apart by ``Host`` (a name of its own that leads
here), by ``Sec-Fetch-Site`` and by ``Origin``. What the server hands out comes with a policy under which nothing runs
and nothing is loaded but the server's own files.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Middleware

COOKIE = "bridge-view"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Door:
    """On loopback the names of this machine are let in; elsewhere whoever has the token."""

    host: str
    token: str | None

    def refusal(self, request: web.Request) -> web.HTTPException | None:
        """Why the request is not answered; None where it is."""
        if request.method not in ("GET", "HEAD"):
            return web.HTTPMethodNotAllowed(request.method, ("GET", "HEAD"), text="only GET\n")
        if not self._knows(request.host):
            return web.HTTPForbidden(text=f"this server is not {request.host[:80]!r}\n")
        if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            return web.HTTPForbidden(text="another site asks for this page: open it from the address bar\n")
        if (origin := request.headers.get("Origin")) is not None and origin != f"http://{request.host}":
            return web.HTTPForbidden(text="another site asks for this page\n")
        if self.token is not None and not self._holds(request):
            return web.HTTPUnauthorized(text="open the address that bridge view has printed: it has the token\n")
        return None

    def _knows(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if is_loopback(self.host):
            return name.lower() in LOOPBACK_NAMES
        return is_any(self.host) or name.lower().strip("[]") == self.host.lower().strip("[]")

    def _holds(self, request: web.Request) -> bool:
        """By the address or the cookie: a cookie may be that of an earlier start, or of another port."""
        given = (request.query.get("token", ""), request.cookies.get(COOKIE, ""))
        wanted = (self.token or "").encode()
        return any(hmac.compare_digest(one.encode("utf-8", "replace"), wanted) for one in given)


def guard(door: Door) -> Middleware:
    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await _answer(door, request, handler)
        response.headers.update(HEADERS)
        response.headers["Server"] = "bridge"
        return response

    return guarded


async def _answer(door: Door, request: web.Request, handler: Handler) -> web.StreamResponse:
    if (refusal := door.refusal(request)) is not None:
        return _plain(refusal)
    if door.token is not None and "token" in request.query:
        # The token leaves the address at once, so that it is in no history and no log.
        entered = web.Response(status=303, headers={"Location": request.path})
        entered.set_cookie(COOKIE, door.token, httponly=True, samesite="Strict")
        return entered
    try:
        return await handler(request)
    except web.HTTPException as refused:
        return _plain(refused)
    except Exception:
        logging.getLogger("bridge.view").exception("%s", request.path_qs)
        return _plain(web.HTTPInternalServerError(text="this is a bug in bridge; the terminal has the traceback\n"))


def _plain(refused: web.HTTPException) -> web.Response:
    """As an answer, not as an exception, so that it has the headers; in plain text whatever it says."""
    headers = {name: refused.headers[name] for name in ("Allow", "Location") if name in refused.headers}
    return web.Response(status=refused.status, text=refused.text, content_type="text/plain", headers=headers)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False
