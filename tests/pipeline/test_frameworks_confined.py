"""Other frameworks in the sandbox: the same scores as outside. OpenCompass: ``adapters/opencompass/test_code.py``."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_server import FaultServer
from server_thread import ServerThread, serving

from bridge.report.schema import Status
from bridge.runs import run
from bridge.sandbox.trial import why_not
from bridge.spec import TaskSpec

pytestmark = pytest.mark.env


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with serving(FaultServer(model="m", answer=lambda prompt: "A" * (1 + len(prompt) % 3))) as thread:
        yield thread


def a_picture() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress((b"\0" + b"\xff\0\0" * 16) * 16)
    head = struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def write_pictures(folder: Path) -> None:
    (folder / "images").mkdir()
    (folder / "images" / "dot.png").write_bytes(a_picture())
    row = {"question": "Which colour?", "options": ["red", "blue"], "answer": "A", "image": "dot.png"}
    lines = [json.dumps({"id": number, **row, "question": "?" * number}) for number in range(1, 7)]
    (folder / "questions.jsonl").write_text("\n".join(lines), encoding="utf-8")


def write_tasks(folder: Path) -> None:
    row = {"prompt": "Write 100 words about rain.", "type": "Popular Science", "length": 100}
    (folder / "longbench_write.jsonl").write_text(f"{json.dumps(row)}\n" * 3, encoding="utf-8")


@pytest.mark.parametrize(
    ("backend", "dataset", "write"),
    [("vlmevalkit", "custom_mcq", write_pictures), ("longbench_write", "longbench_write", write_tasks)],
)
def test_the_same_inside_as_outside(backend: str, dataset: str, write, server: ServerThread, tmp_path: Path) -> None:
    if why := why_not():
        pytest.skip(why)
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder)
    seen = {}
    for name, inside in (("outside", None), ("inside", True)):
        given = {
            "model": {"name": "m", "endpoint": {"base_url": server.server.base_url}},
            "backend": backend,
            "datasets": [{"name": dataset, "path": str(folder)}],
            "sandbox": inside,
        }
        report = run(TaskSpec.model_validate(given), output=tmp_path / name)
        assert report.status is Status.COMPLETE, report.errors
        seen[name] = {(row.metric, row.subset): (row.value, row.n) for row in report.results}
        assert {row.settings.get("sandbox") for row in report.results} == {"bubblewrap" if inside else None}
    assert seen["inside"] == seen["outside"] != {}
