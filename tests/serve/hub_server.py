"""A hub on loopback that speaks Hugging Face's protocol for one model, as far as fetching it goes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub_with(model_id: str, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The hub's URL, and the paths that it is asked for."""
    asked: list[str] = []
    names = sorted(path.name for path in folder.iterdir())
    about = {"id": model_id, "sha": COMMIT, "siblings": [{"rfilename": name} for name in names]}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            path = urlsplit(self.path).path
            asked.append(path)
            if path in (f"/api/models/{model_id}", *(f"/api/models/{model_id}/revision/{r}" for r in ("main", COMMIT))):
                self.reply(json.dumps(about).encode(), "application/json")
            elif path.startswith(f"/api/models/{model_id}/tree/"):
                entries: list[dict[str, Any]] = [
                    {"type": "file", "path": name, "size": (folder / name).stat().st_size, "oid": "0" * 40}
                    for name in names
                ]
                self.reply(json.dumps(entries).encode(), "application/json")
            elif path.startswith(f"/{model_id}/resolve/") and path.rpartition("/")[2] in names:
                self.reply((folder / path.rpartition("/")[2]).read_bytes(), "application/octet-stream")
            else:
                self.reply(b'{"error": "Entry not found"}', "application/json", 404, {"X-Error-Code": "EntryNotFound"})

        def reply(self, data: bytes, kind: str, status: int = 200, more: dict[str, str] | None = None) -> None:
            headers = {"Content-Type": kind, "Content-Length": str(len(data)), "X-Repo-Commit": COMMIT}
            headers["ETag"] = f'"{hashlib.sha256(data).hexdigest()}"'
            self.send_response(status)
            for name, value in {**headers, **(more or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
