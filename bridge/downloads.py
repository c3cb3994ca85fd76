"""A zip file from the network: fetched in pieces that survive, checked, unpacked without a way out of its folder."""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from bridge.errors import BridgeError

TRIES = 5
"""Attempts in a row that bring nothing; one that brings something starts the count anew."""
TIMEOUT_S = 30.0
PROBE_S = 5.0
BLOCK = 1 << 20
_UNSOUND = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError)
"""All that Python's zipfile raises for an archive that is damaged, encrypted, or of an unknown kind."""

Tell = Callable[[str], None]


class DownloadError(BridgeError):
    """One line: what, from where, and what is left of it."""

    exit_code = 2


def unreachable(url: str) -> str:
    """Why nothing answers there; empty where something does, whatever it says. Takes seconds, where hubs' libraries go
    on trying."""
    try:
        urlopen(Request(url, method="HEAD"), timeout=PROBE_S).close()
    except HTTPError:
        return ""
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(getattr(error, "reason", "") or error) or type(error).__name__
    return ""


def fetch(url: str, md5: str, folder: Path, tell: Tell = lambda line: None, pause_s: float = 1.0) -> Path:
    """The file of that URL in ``folder``. What an interrupted attempt has left is gone on from.

    Raises DownloadError where the network, the server or the checksum is wrong.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = _Part(url, folder / Path(urlsplit(url).path).name)
    tries = 0
    while tries < TRIES:
        before = part.size
        try:
            if part.go_on(tell):
                return _checked(part, md5)
            reason = "the connection was cut"
        except HTTPError as error:
            raise DownloadError(f"{url}: the server says {error.code} {error.reason}") from None
        except (URLError, OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", "") or error)
        tries = 0 if part.size > before else tries + 1
        if not part.size and tries:
            raise DownloadError(f"{url}: cannot be reached ({reason}); without a network, put the files there yourself")
        time.sleep(pause_s if tries else 0)
    kept = f"; {part.size} bytes are kept, and the same command goes on from there"
    raise DownloadError(f"{url}: cut off again and again ({reason}){kept}")


def unpack(archive: Path, into: Path) -> list[Path]:
    """The files that were not there yet; what is there stays. Raises DownloadError where it is no sound zip file."""
    made = []
    try:
        with zipfile.ZipFile(archive) as opened:
            for entry in opened.infolist():
                inside = PurePosixPath(entry.filename)
                target = into / inside
                if inside.is_absolute() or ".." in inside.parts:
                    raise DownloadError(f"{archive}: holds {entry.filename!r}, which leads out of its folder")
                if entry.is_dir() or target.exists() or "__MACOSX" in entry.filename:
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                aside = target.with_name(f".{target.name}.part")
                with opened.open(entry) as source, aside.open("wb") as sink:
                    shutil.copyfileobj(source, sink, BLOCK)
                aside.replace(target)
                made.append(target)
    except _UNSOUND as error:
        raise DownloadError(f"{archive}: cannot be unpacked ({error})") from None
    return made


class _Part:
    """A file on its way: its bytes so far, and which version of it they are of."""

    def __init__(self, url: str, path: Path) -> None:
        self.url, self.path = url, path
        self._bytes = path.with_name(f"{path.name}.part")
        self._about = path.with_name(f"{path.name}.part.json")

    @property
    def size(self) -> int:
        return self._bytes.stat().st_size if self._bytes.exists() else 0

    @property
    def bytes_path(self) -> Path:
        return self._bytes

    def go_on(self, tell: Tell) -> bool:
        """Fetches the rest; whether it is whole now."""
        request = Request(self.url, headers=self._headers())
        try:
            answer = urlopen(request, timeout=TIMEOUT_S)
        except HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and self.size:
                return True  # there is nothing after what is there; the checksum decides
            raise
        with answer:
            again = answer.status != http.HTTPStatus.PARTIAL_CONTENT
            total = int(answer.headers.get("Content-Length") or 0) + (0 if again else self.size)
            version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
            self._about.write_text(json.dumps({"url": self.url, "version": version}), encoding="utf-8")
            with self._bytes.open("wb" if again else "ab") as sink:
                while block := answer.read(BLOCK):
                    sink.write(block)
                    tell(f"{self.path.name}: {sink.tell() >> 20} of {total >> 20} MiB")
            return not total or self.size >= total

    def _headers(self) -> dict[str, str]:
        """The rest only, if it is still the same file."""
        try:
            about = json.loads(self._about.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not self.size or about.get("url") != self.url or not about.get("version"):
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": about["version"]}

    def drop(self) -> None:
        self._bytes.unlink(missing_ok=True)
        self._about.unlink(missing_ok=True)

    def finish(self) -> Path:
        self._bytes.replace(self.path)
        self._about.unlink(missing_ok=True)
        return self.path


def _checked(part: _Part, md5: str) -> Path:
    if md5:
        digest = hashlib.md5(usedforsecurity=False)
        with part.bytes_path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        if digest.hexdigest() != md5:
            part.drop()
            raise DownloadError(f"{part.url}: its MD5 is {digest.hexdigest()}, and {md5} was expected: it was dropped")
    return part.finish()
