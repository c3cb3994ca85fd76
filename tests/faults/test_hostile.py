"""Specs, data files and answers that mean harm: one line or a marked row; nothing executed or written outside."""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from command import Done, bridge
from fault_server import FaultServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server_thread import ServerThread, serving

sys.path.insert(0, str(Path(__file__).parent))

SPEC = "model: {name: m, endpoint: {base_url: 'http://127.0.0.1:1/v1'}}\ndatasets: [gsm8k]\n"
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
SPECS: dict[str, bytes] = {
    "billion laughs": (LAUGHS + SPEC).encode(),
    "an anchor in itself": b"model: &m {name: *m}\ndatasets: *m\n",
    "a merge of everything": b"x: &x {<<: *x}\n" + SPEC.encode(),
    "fifty megabytes": SPEC.encode() + b"# " + b"x" * (50 << 20),
    "deep lists": b"datasets: " + b"[" * 20_000 + b"]" * 20_000,
    "deep mappings": b"".join(b" " * at + b"a:\n" for at in range(3000)),
    "deep JSON": b"{" + b'"a":{' * 20_000 + b"}" * 20_001,
    "a NUL": SPEC.encode() + b"name: a\0b\n",
    "UTF-16": SPEC.encode("utf-16"),
    "UTF-32": SPEC.encode("utf-32"),
    "Latin 1": SPEC.encode() + "name: ä\n".encode("latin-1"),
    "half a character": SPEC.encode() + b"name: \xf0\x9f",
    "a tag that makes objects": b"!!python/object/apply:os.system ['touch pwned']\n",
    "an object in a field": SPEC.encode() + b"name: !!python/object/apply:os.system ['touch pwned']\n",
    "two documents": SPEC.encode() + b"---\n" + SPEC.encode(),
    "tabs": b"model:\n\tname: m\n",
    "an open quote": b"model: 'm\n",
    "escape sequences": b"\x1b[2J\x1b]0;owned\x07: 1\n" + SPEC.encode(),
    "a very long key": b"k" * 1_000_000 + b": 1\n" + SPEC.encode(),
    "a number without end": SPEC.encode() + b"limit: " + b"9" * 100_000 + b"\n",
    "a path as a name": SPEC.encode() + b"name: ../../etc/passwd\n",
    "an alias that climbs": SPEC.replace("gsm8k", "{name: gsm8k, alias: ../../x}").encode(),
    "a URL of another kind": SPEC.replace("http://127.0.0.1:1/v1", "file:///etc/passwd").encode(),
    "nothing": b"",
    "a list": b"- 1\n- 2\n",
}


@pytest.mark.parametrize("name", SPECS)
def test_a_hostile_spec_is_refused_in_plain_lines(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    spec = tmp_path / "spec.yaml"
    spec.write_bytes(SPECS[name])
    began = time.process_time()
    done = bridge("run", spec, "--output", tmp_path / "run")
    assert done.exit_code == 2, done.stderr[:500]
    assert time.process_time() - began < 20
    assert_plain(done)
    assert len(done.stderr) < 20_000
    assert [path.name for path in tmp_path.rglob("*") if path != spec] == ["work"]


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes_are_no_spec(tmp_path: Path, content: bytes) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_bytes(content)
    done = bridge("plan", spec)
    assert done.exit_code == 2
    assert_plain(done)


HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<!--<script>",
    "]]></textarea><svg/onload=document.title='owned'>",
    "javascript:document.title='owned'",
    "\x1b[2J\x1b[1;1H\x1b]0;owned\x07 terminal",
    "\x9b2J C1",
    '=HYPERLINK("http://127.0.0.1:9","x")',
    "=cmd|' /C calc'!A0",
    "{{ 7 * 7 }} {% for x in () %}{% endfor %} ${HOME} %(x)s {0}",
    "\u202e right to left \u2066 and back",
    "a\0b",
    "../../../../etc/passwd",
    "\ud800 alone",
    "| a | b |\n| --- | --- |\n# heading",
    "x" * 200_000,
]


@pytest.fixture
def harmful() -> Iterator[ServerThread]:
    """Answers with each of the texts in turn."""
    with serving(FaultServer(model="m", answer=lambda prompt: HOSTILE[len(prompt) % len(HOSTILE)])) as thread:
        yield thread


def test_hostile_data_and_answers_end_to_end(
    harmful: ServerThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"query": f"{text} {'y' * at}", "response": text} for at, text in enumerate(HOSTILE)]
    spec = write_spec(tmp_path, harmful, rows)
    before = set(tmp_path.rglob("*"))
    done = bridge("run", spec, "--output", tmp_path / "run")
    # Half of a character is no text: the row cannot be read, and the answer that has it is none.
    assert done.exit_code == 5, done.stderr
    report = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    assert [(error["kind"], error["count"]) for error in report["errors"]] == [("backend", 1), ("unanswered", 1)]
    assert_plain(done)
    outside = set(tmp_path.rglob("*")) - before
    assert all(path.is_relative_to(tmp_path / "run") for path in outside)
    assert len((tmp_path / "run/samples/native/general_qa.jsonl").read_text().splitlines()) == len(HOSTILE)
    for page in (tmp_path / "run").glob("*.html"):
        assert_harmless(page.read_text(encoding="utf-8"))
    for verb in (["report", tmp_path / "run"], ["compare", tmp_path / "run", tmp_path / "run"]):
        assert_plain(bridge(*verb))
    assert "\x1b" not in (tmp_path / "run/report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "\x1b[2J", "../../up"])
def test_a_hostile_name_of_a_model(name: str, harmful: ServerThread, tmp_path: Path) -> None:
    harmful.server.model = name
    spec = write_spec(tmp_path, harmful, [{"query": "1", "response": "1"}], name=name)
    done = bridge("run", spec, "--output", tmp_path / "run")
    assert_plain(done)
    assert done.exit_code in (0, 2), done.stderr
    if done.exit_code == 0:
        assert_harmless((tmp_path / "run" / "report.html").read_text(encoding="utf-8"))
    assert {path.name for path in tmp_path.iterdir()} <= {"spec.json", "qa.jsonl", "run"}


@pytest.mark.env
def test_a_cell_of_a_hundred_megabytes(harmful: ServerThread, tmp_path: Path) -> None:
    harmful.server.answer = lambda prompt: "1"
    path = tmp_path / "qa.jsonl"
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps({"query": "x" * (100 << 20), "response": "1"}) + "\n")
        file.write(json.dumps({"query": "small", "response": "1"}) + "\n")
    done = bridge("run", write_spec(tmp_path, harmful, None), "--output", tmp_path / "run")
    assert done.exit_code in (0, 7), done.stderr
    assert_plain(done)
    assert (tmp_path / "run" / "report.html").stat().st_size < 20 << 20


@pytest.mark.env
def test_a_file_that_swells(harmful: ServerThread, tmp_path: Path) -> None:
    """Two gigabytes of one line in two megabytes of gzip."""
    path = tmp_path / "qa.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(256):
            file.write(b"x" * (1 << 20))
    spec = write_spec(tmp_path, harmful, None, data="qa.jsonl.gz")
    done = bridge("run", spec, "--output", tmp_path / "run")
    assert done.exit_code in (2, 5, 6), done.stderr
    assert_plain(done)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 1000, b"{", b"null\n1\n[]\n", b'{"query": 1}\n', b"\xff\xfe{\0", b'{"query": "q"}\n' * 3, b"\n\n\n"],
)
def test_a_file_that_is_none(content: bytes, harmful: ServerThread, tmp_path: Path) -> None:
    (tmp_path / "qa.jsonl").write_bytes(content)
    done = bridge("run", write_spec(tmp_path, harmful, None), "--output", tmp_path / "run")
    assert done.exit_code != 0
    assert_plain(done)


def write_spec(
    folder: Path, server: ServerThread, rows: list[Any] | None, name: str = "m", data: str = "qa.jsonl"
) -> Path:
    if rows is not None:
        (folder / data).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    model = {"name": name, "endpoint": {"base_url": server.server.base_url, "probe": False}}
    spec = {"model": model, "datasets": [{"name": "general_qa", "path": str(folder / data)}], "max_retries": 1}
    path = folder / "spec.json"
    path.write_text(json.dumps(spec), encoding="utf-8")
    return path


def assert_plain(done: Done) -> None:
    """What a terminal may be shown: no traceback, and no control character but the line's end and tab."""
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "this is a bug" not in said, said[:500]
    assert not [hex(ord(char)) for char in said if (ord(char) < 32 and char not in "\n\t\r") or 127 <= ord(char) < 160]


class Tags(HTMLParser):
    """What a browser would do by itself in this page."""

    def __init__(self) -> None:
        super().__init__()
        self.acts: list[str] = []
        self.remote: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.acts += [f"{tag} {name}" for name, _ in attrs if name.startswith("on")]
        for name, value in attrs:
            if name in ("src", "href", "action") and value and not value.startswith(("#", "data:image/")):
                self.remote.append(f"{tag} {value}")


def assert_harmless(page: str) -> None:
    tags = Tags()
    tags.feed(page)
    assert tags.acts == []
    assert not [one for one in tags.remote if one.split()[1].lower().startswith(("javascript:", "http:"))]
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page
    assert "document.title='owned'</script>" not in page
