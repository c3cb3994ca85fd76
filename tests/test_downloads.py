"""Archives from a server on this machine that cuts connections, forgets ranges, changes files and lies about them."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bridge.downloads import TRIES, DownloadError, fetch, unpack, unreachable


def zipped(**files: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text)
    return made.getvalue()


@dataclass
class Store:
    """What the server has, and how it behaves."""

    content: bytes
    etag: str = '"one"'
    cut_after: list[int] = field(default_factory=list)
    """Bytes after which the next answers are cut off, one each."""
    ranges: bool = True
    status: int = 200
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Range and If-Range of every request."""
    url: str = ""


@contextmanager
def serving(store: Store) -> Iterator[Store]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            range_, version = self.headers.get("Range") or "", self.headers.get("If-Range") or ""
            store.asked.append((range_, version))
            if store.status != 200:
                self.send_error(store.status)
                return
            start = int(range_.removeprefix("bytes=").rstrip("-") or 0) if store.ranges and version == store.etag else 0
            self.send_response(206 if start else 200)
            self.send_header("ETag", store.etag)
            self.send_header("Content-Length", str(len(store.content) - start))
            self.end_headers()
            cut = store.cut_after.pop(0) if store.cut_after else len(store.content)
            self.wfile.write(store.content[start : start + cut])
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    store.url = f"http://127.0.0.1:{server.server_address[1]}/datasets/data/things.zip"
    try:
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


CONTENT = zipped(things__rows="row " * 5000, things__more="x")
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


def test_a_file_is_fetched_and_checked(tmp_path: Path) -> None:
    with serving(Store(CONTENT)) as store:
        path = fetch(store.url, MD5, tmp_path)
    assert path.read_bytes() == CONTENT
    assert [one.name for one in tmp_path.iterdir()] == ["things.zip"]


def test_a_connection_that_is_cut_in_the_middle_is_gone_on_from(tmp_path: Path) -> None:
    with serving(Store(CONTENT, cut_after=[7000, 6000])) as store:
        path = fetch(store.url, MD5, tmp_path, pause_s=0)
    assert path.read_bytes() == CONTENT
    assert store.asked == [("", ""), ("bytes=7000-", '"one"'), ("bytes=13000-", '"one"')]


def test_a_later_command_goes_on_where_an_earlier_one_was_stopped(tmp_path: Path) -> None:
    with serving(Store(CONTENT, cut_after=[7000, *[0] * TRIES])) as store:
        with pytest.raises(DownloadError, match="7000 bytes are kept"):
            fetch(store.url, MD5, tmp_path, pause_s=0)
        assert fetch(store.url, MD5, tmp_path).read_bytes() == CONTENT
        assert store.asked[-1] == ("bytes=7000-", '"one"')


def test_a_file_that_has_changed_in_between_is_fetched_anew(tmp_path: Path) -> None:
    other = zipped(things__rows="other " * 5000)
    with serving(Store(CONTENT, cut_after=[7000, *[0] * TRIES])) as store:
        with pytest.raises(DownloadError):
            fetch(store.url, MD5, tmp_path, pause_s=0)
        store.content, store.etag = other, '"two"'
        assert fetch(store.url, hashlib.md5(other, usedforsecurity=False).hexdigest(), tmp_path).read_bytes() == other


def test_a_server_without_ranges_starts_anew(tmp_path: Path) -> None:
    with serving(Store(CONTENT, cut_after=[7000], ranges=False)) as store:
        assert fetch(store.url, MD5, tmp_path, pause_s=0).read_bytes() == CONTENT


def test_a_wrong_checksum_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        serving(Store(CONTENT)) as store,
        pytest.raises(DownloadError, match=f"its MD5 is {MD5}, and 0000 was expected"),
    ):
        fetch(store.url, "0000", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_the_server_refuses_is_told_in_one_line(tmp_path: Path) -> None:
    with serving(Store(CONTENT, status=404)) as store, pytest.raises(DownloadError, match="the server says 404"):
        fetch(store.url, MD5, tmp_path)


def test_without_a_network_there_is_one_clear_line(tmp_path: Path) -> None:
    with serving(Store(CONTENT)) as store:
        url = store.url
    with pytest.raises(DownloadError) as raised:
        fetch(url, MD5, tmp_path, pause_s=0)
    assert "cannot be reached" in str(raised.value) and "put the files there yourself" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_whatever_a_server_says_it_can_be_reached() -> None:
    with serving(Store(CONTENT)) as store:
        assert unreachable(store.url) == "", "it answers HEAD with an error"
    assert "refused" in unreachable(store.url)
    assert unreachable("http://[") != ""


def test_unpacking_keeps_what_is_there(tmp_path: Path) -> None:
    archive = tmp_path / "things.zip"
    archive.write_bytes(zipped(a__one="new", a__two="two"))
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "a" / "one").write_text("mine", encoding="utf-8")
    assert unpack(archive, tmp_path / "data") == [tmp_path / "data" / "a" / "two"]
    assert (tmp_path / "data" / "a" / "one").read_text(encoding="utf-8") == "mine"


def test_an_archive_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    archive = tmp_path / "evil.zip"
    archive.write_bytes(zipped(**{"..__..__evil": "x"}))
    with pytest.raises(DownloadError, match="leads out of its folder"):
        unpack(archive, tmp_path / "data" / "deep")
    assert not (tmp_path / "evil").exists()


def test_what_is_no_zip_file_is_told(tmp_path: Path) -> None:
    archive = tmp_path / "no.zip"
    archive.write_text("<html>", encoding="utf-8")
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "data")


def test_a_damaged_archive_is_one_line(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("data/rows.jsonl", "a row\n" * 500)
    content = bytearray(archive.read_bytes())
    content[45:60] = b"\xff" * 15
    archive.write_bytes(content)
    with pytest.raises(DownloadError, match=r"a\.zip: cannot be unpacked"):
        unpack(archive, tmp_path / "into")
    assert not (tmp_path / "into" / "data" / "rows.jsonl").exists()


def test_an_archive_may_go_through_a_link_of_the_users_own(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("data/rows.jsonl", "a row\n")
    (tmp_path / "into").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "into" / "data").symlink_to(tmp_path / "elsewhere")
    unpack(archive, tmp_path / "into")
    assert (tmp_path / "elsewhere" / "rows.jsonl").read_text() == "a row\n"
