"""Who is answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.view.guard import Door, is_any, is_loopback

PAGES = ("/", "/runs/base", "/nothing", "/assets/view.css", "/assets/view.js")


@pytest.mark.parametrize("address", PAGES)
async def test_every_answer_has_the_policy(visit, folder: Path, address: str) -> None:
    client = (await visit(folder)).client
    async with client.get(address) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert (
            answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Referrer-Policy"] == "no-referrer"
        )
        assert answer.headers["X-Frame-Options"] == "DENY" and "Python" not in answer.headers["Server"]
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("address", ["/", "/runs/base", "/nothing"])
async def test_only_get(visit, folder: Path, method: str, address: str) -> None:
    client = (await visit(folder)).client
    async with client.request(method, address) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET,HEAD"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:7380"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "localhost.evil.example:80"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "LOCALHOST"}, 200),
        ({"Host": "[::1]:7380"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
    ids=str,
)
async def test_another_site_is_refused(visit, folder: Path, headers: dict[str, str], status: int) -> None:
    client = (await visit(folder)).client
    async with client.get("/", headers=headers) as answer:
        assert answer.status == status
        assert ("org/base" in await answer.text()) == (status == 200)


async def test_elsewhere_than_on_loopback_a_token_is_asked_for(visit, folder: Path) -> None:
    client = (await visit(folder, door=Door("0.0.0.0", "secret"))).client
    for address, cookie in (("/", ""), ("/assets/view.js", ""), ("/?token=wrong", ""), ("/", "bridge-view=wrong")):
        async with client.get(address, headers={"Cookie": cookie}) as answer:
            assert answer.status == 401 and "org/base" not in await answer.text()
    async with client.get("/?token=secret", allow_redirects=False) as answer:
        assert answer.status == 303 and answer.headers["Location"] == "/"
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    earlier = {"Cookie": "bridge-view=of-an-earlier-start"}
    async with client.get("/?token=secret", headers=earlier, allow_redirects=False) as answer:
        assert answer.status == 303
    async with client.get("/", headers={"Cookie": "bridge-view=secret"}) as answer:
        assert answer.status == 200 and "org/base" in await answer.text()


@pytest.mark.parametrize(
    "address",
    [
        "/runs/..%2F..%2Fetc%2Fpasswd",
        "/runs/%2Fetc",
        "/runs/base/datasets/..%2F..%2Freport.json",
        "/runs/base%2F..%2Fsft",
        "/assets/..%2Fview.py",
        "/assets/%2e%2e%2fserver.py",
        "/runs/base/sections/_run.html",
        "/compare?side=/etc",
        "/compare?side=../runs/base&side=sft",
    ],
)
async def test_no_path_from_an_address(visit, folder: Path, address: str) -> None:
    await (await visit(folder)).get(address, 404)


@pytest.mark.parametrize(
    "query", ["state=any", "flag=x", "after=-1", "after=1e3", "after=" + "9" * 40, "after=%00", "state=right%00"]
)
async def test_an_address_that_means_nothing_is_refused(visit, folder: Path, query: str) -> None:
    await (await visit(folder)).get(f"/runs/base/datasets/gsm8k.native.org~base/samples?{query}", 400)


def test_what_is_loopback() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "10.0.0.1", "::", "example.org", ""))
    assert is_any("0.0.0.0") and is_any("::") and not is_any("127.0.0.1")
