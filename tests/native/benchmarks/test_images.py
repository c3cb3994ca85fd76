"""Questions about images: where an image may come from, what is sent, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer

from bridge.native.benchmarks import benchmark
from bridge.native.images import LARGEST, image_url, resolved, shown
from bridge.native.job import DatasetJob
from bridge.native.prompt import messages_of
from bridge.native.questions import questions_of
from bridge.native.recipe import shown_files
from bridge.report.schema import ErrorKind


def png(shade: int = 0) -> bytes:
    """One grey pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes([0, shade]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def url_of(raw: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(raw).decode()}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "images" / "a.png").write_bytes(png(1))
    (tmp_path / "data" / "cut.png").write_bytes(png(1)[:-20])
    (tmp_path / "data" / "text.png").write_text("no image", encoding="utf-8")
    (tmp_path / "secret.png").write_bytes(png(9))
    (tmp_path / "data" / "link.png").symlink_to(tmp_path / "secret.png")
    return tmp_path / "data"


def test_where_an_image_may_come_from(folder: Path) -> None:
    raw = png(1)
    bare = base64.b64encode(raw).decode()
    there = [
        "images/a.png",
        "./images/../images/a.png",
        bare,
        url_of(raw),
        raw,
        {"bytes": raw},
        {"path": "images/a.png"},
    ]
    assert {image_url(source, folder) for source in there} == {url_of(raw)}
    assert image_url("https://example.org/a.png?b", folder) == "https://example.org/a.png?b"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("../secret.png", "leads out of the folder"),
        ("/etc/passwd.png", "leads out of the folder"),
        ("images/../../secret.png", "leads out of the folder"),
        ("link.png", "leads out of the folder"),
        ("gone.png", "cannot be read: No such file"),
        ("cut.png", "is cut off"),
        ("text.png", "neither PNG"),
        ("file:///etc/passwd", "is no image"),
        ("/etc/passwd", "neither|is no image"),
        ("bm8gaW1hZ2U=", "neither PNG"),
        ("data:image/png;base64,!!!", "is no image"),
        ("", "path, a URL or base64"),
        (None, "path, a URL or base64"),
        (7, "path, a URL or base64"),
    ],
)
def test_what_is_refused(folder: Path, source: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        image_url(source, folder)


def asked(name: str, row: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    mark = benchmark(name)
    return messages_of(mark, resolved(mark.to_sample(row), folder))


def test_an_image_stands_where_the_text_says(folder: Path) -> None:
    row = {
        "question": "Is <image 1> like <image 2>?",
        "image_1": "images/a.png",
        "image_2": url_of(png(2)),
        "answer": "no",
    }
    (message,) = asked("general_vqa", row, folder)
    kinds = [(part["type"], part.get("text")) for part in message["content"]]
    assert kinds == [("text", "Is "), ("image_url", None), ("text", " like "), ("image_url", None), ("text", "?")]
    assert message["content"][3]["image_url"] == {"url": url_of(png(2))}
    (message,) = asked("general_vqa", {"question": "What?", "image": "images/a.png", "answer": "grey"}, folder)
    assert [part["type"] for part in message["content"]] == ["image_url", "text"]


def test_messages_keep_their_form_and_get_their_images(folder: Path) -> None:
    part = {"type": "image_url", "image_url": {"url": "images/a.png", "detail": "low"}}
    turns = [{"role": "system", "content": "Look."}, {"role": "user", "content": [{"type": "text", "text": "?"}, part]}]
    for given in (turns, json.dumps(turns)):
        sent = asked("general_vqa", {"messages": given, "answer": "grey"}, folder)
        assert sent[0] == turns[0]
        assert sent[1]["content"][1] == {"type": "image_url", "image_url": {"url": url_of(png(1)), "detail": "low"}}


def test_options_may_be_images(folder: Path) -> None:
    row = {"question": "Which is <image 1>?", "image_1": "images/a.png", "image_2": "images/a.png", "answer": "B"}
    for options in (["<image 2>", "neither"], '["<image 2>", "neither"]'):
        (message,) = asked("general_vmcq", {**row, "options": options}, folder)
        assert [part["type"] for part in message["content"]] == ["text", "image_url", "text", "image_url", "text"]
        assert "A) " in message["content"][2]["text"]
    mark = benchmark("general_vmcq")
    assert mark.to_sample({**row, "A": "this", "B": "that"}).target == "B"


@pytest.mark.parametrize(
    ("name", "row", "why"),
    [
        ("general_vqa", {"question": "?", "answer": "x"}, "has no image"),
        (
            "general_vqa",
            {"question": "<image 2>?", "image_1": "images/a.png", "answer": "x"},
            "<image 2>, and there is no",
        ),
        ("general_vqa", {"messages": "[{", "answer": "x"}, "unexpected|JSON"),
        ("general_vmcq", {"question": "?", "options": ["a", "b"], "answer": "A"}, "has no image"),
        (
            "general_vmcq",
            {"question": "?", "image_1": "images/a.png", "options": "ab", "answer": "A"},
            "JSON|unexpected",
        ),
        ("general_vmcq", {"question": "?", "image": "images/a.png", "options": ["a"], "answer": "A"}, "1 options"),
    ],
)
def test_a_row_in_another_form_says_what_is_wrong(folder: Path, name: str, row: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        asked(name, row, folder)


async def test_a_broken_image_costs_its_own_row(native_run: Any, task: Callable[..., Any], folder: Path) -> None:
    row = {"question": "What is in <image 1>?", "options": ["a cat", "a pixel"], "answer": "B"}
    sources = ["images/a.png", "cut.png", "../secret.png", url_of(png(3))]
    lines = [json.dumps({**row, "image_1": source}) + "\n" for source in sources]
    (folder / "look_val.jsonl").write_text("".join(lines), encoding="utf-8")
    given = task({"name": "general_vmcq", "path": str(folder)})
    async with FaultServer(answer=lambda prompt: "ANSWER: B") as server:
        assert await native_run.run(given, server.base_url) == 7
        assert len(server.journal) == 2
        sent = {part["image_url"]["url"] for asked in server.journal for part in _images(asked.body)}
    assert sent == {url_of(png(1)), url_of(png(3))}
    (result,) = native_run.collect(given, exit_code=7)
    assert (result.rows[0].value, result.rows[0].n, result.rows[0].n_errors) == (1.0, 2, 2)
    (error,) = result.errors
    assert (error.kind, error.count) == (ErrorKind.BACKEND, 2)
    assert "look_val.jsonl:2: an image (png) is cut off" in error.message
    kept = next(iter(result.samples)).input
    assert isinstance(kept, list)
    assert f"{len(png(1))} bytes;sha256=" in json.dumps(kept), "the record names the image, and does not hold it"


async def test_another_image_of_the_same_name_is_asked_about_anew(
    native_run: Any, task: Callable[..., Any], folder: Path
) -> None:
    row = {"question": "What is in <image 1>?", "image_1": "images/a.png", "answer": "B"}
    (folder / "look.jsonl").write_text(json.dumps(row), encoding="utf-8")
    given, image = task({"name": "general_vqa", "path": str(folder)}), folder / "images" / "a.png"
    async with FaultServer(answer=lambda prompt: "B") as server:

        async def asked_about() -> set[str]:
            known = len(server.journal)
            assert await native_run.run(given, server.base_url) == 0
            return {part["image_url"]["url"] for one in server.journal[known:] for part in _images(one.body)}

        assert await asked_about() == {url_of(png(1))}
        written = image.stat()
        image.write_bytes(png(2))
        os.utime(image, ns=(written.st_atime_ns, written.st_mtime_ns))
        assert image.stat().st_size == written.st_size, "neither size nor time tell that it is another"
        assert await asked_about() == {url_of(png(2))}
        image.write_bytes(png(1))
        assert await asked_about() == set(), "what was asked once is in the cache"
    recorded = [sample.input for result in native_run.collect(given) for sample in result.samples]
    assert "sha256=" + hashlib.sha256(png(1)).hexdigest() in json.dumps(recorded)


def shown_of(file: Path, name: str = "general_vqa", limit: int | None = None) -> list[tuple[str, int, str]]:
    """What the recipe knows of the images that a file's rows show."""
    mark = benchmark(name)
    job = DatasetJob(mark.name, name, str(file), (), mark.split, 0, limit, 1, {})
    return [(Path(path).name, size, sha256) for path, size, sha256 in shown_files(questions_of(job))]


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    file = folder / "look_val.jsonl"
    file.write_text("".join(json.dumps({"answer": "B", **row}) + "\n" for row in rows), encoding="utf-8")
    return file


PART = {"type": "image_url", "image_url": "images/a.png"}


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("general_vqa", {"question": "?", "image": "images/a.png"}),
        ("general_vqa", {"question": "?", "image_7": " images/../images/a.png "}),
        ("general_vqa", {"question": "?", "image": {"path": "images/a.png"}}),
        (
            "general_vqa",
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "images/a.png"}]}]},
        ),
        ("general_qa", {"messages": [{"role": "user", "content": [{**PART, "image_url": {"url": "images/a.png"}}]}]}),
        ("general_vmcq", {"question": "?", "image_1": "images/a.png", "options": ["a cat", "a pixel"]}),
    ],
)
def test_a_file_that_is_shown_belongs_to_the_recipe(folder: Path, name: str, row: dict[str, Any]) -> None:
    content = ("a.png", len(png(1)), hashlib.sha256(png(1)).hexdigest())
    assert shown_of(write(folder, row, row), name) == [content]


def test_what_is_no_file_or_is_not_shown_does_not(folder: Path) -> None:
    sources = ["https://example.org/a.png", url_of(png(3)), "../secret.png", "link.png", "secret\0.png"]
    assert shown_of(write(folder, *({"question": "?", "image": source} for source in sources))) == []
    names = ("images/a.png", "gone.png", "cut.png")
    file = write(folder, *({"question": "?", "image": name} for name in names))
    assert [name for name, _, _ in shown_of(file, limit=2)] == ["gone.png", "a.png"]
    assert shown_of(file)[1] == ("gone.png", -1, "")
    with (folder / "images" / "a.png").open("r+b") as image:
        image.truncate(LARGEST + 1)
    assert shown_of(file, limit=1) == [("a.png", LARGEST + 1, "")]


def test_packed_rows_and_definitions_in_python_are_looked_through(folder: Path) -> None:
    import gzip

    content = ("a.png", len(png(1)), hashlib.sha256(png(1)).hexdigest())
    row = write(folder, {"question": "?", "image": "images/a.png"}).read_bytes()
    (folder / "look_val.jsonl").write_bytes(b"")
    assert shown_of(folder / "look_val.jsonl") == []
    (folder / "packed.jsonl.gz").write_bytes(gzip.compress(row))
    assert shown_of(folder / "packed.jsonl.gz") == [content]
    (folder / "data.jsonl").write_text('{"name": "a", "answer": "grey"}\n', encoding="utf-8")
    (folder / "own.py").write_text(DEFINITION, encoding="utf-8")
    (folder / "own.yaml").write_text("question: '{name}?'\ntarget: '{answer}'\nscorer: exact\n", encoding="utf-8")
    assert shown_of(folder / "data.jsonl", str(folder / "own.py")) == [content]
    assert shown_of(folder / "data.jsonl", str(folder / "own.yaml")) == []


DEFINITION = """
from dataclasses import replace
from bridge.native.benchmark import Sample
from bridge.native.benchmarks import general_vqa

def to_sample(row):
    return Sample(target=row["answer"], fields={"question": "?"}, images={"<image 1>": f"images/{row['name']}.png"})

BENCHMARK = replace(general_vqa.BENCHMARK, name="own", to_sample=to_sample)
"""


def test_a_row_that_cannot_be_read_names_nothing_and_hides_nothing(folder: Path) -> None:
    file = write(folder, {"question": 5}, {"question": "?", "image": "images/a.png"}, {})
    assert [name for name, _, _ in shown_of(file)] == ["a.png"]
    file.write_bytes(file.read_bytes() + b"\xff\n{")
    assert [name for name, _, _ in shown_of(file)] == ["a.png"]


def _images(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in body["messages"][-1]["content"] if part["type"] == "image_url"]


def test_real_images_are_taken_whole(rows: Callable[[str], Path]) -> None:
    folder = rows("mathvision")
    taken = [image_url(f"images/{path.name}", folder) for path in sorted((folder / "images").iterdir())]
    assert len(taken) > 10
    assert all(url.startswith("data:image/jpeg;base64,") for url in taken)


def test_records_hold_text_as_it_is() -> None:
    messages = [{"role": "user", "content": "data:image/png;base64,AAAA"}]
    assert shown(messages) is messages
