"""Text of models, datasets and servers in every field of every page: shown, and never acted on."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from fakes import HOSTILE, make_model, make_record, make_report, make_row, make_run
from runs import write

from bridge.report.schema import ErrorKind, ReportError, SampleRecord
from bridge.report.text import visible
from bridge.report.write import sample_line
from bridge.view.records import MAX_LINE, MAX_TEXT
from bridge.view.site import write_site

EVERYTHING = " ".join(HOSTILE)
OWN_SCRIPTS = {"/assets/theme.js", "/assets/htmx.min.js", "/assets/view.js"}


class Page(HTMLParser):
    """Collects what could act: elements, attributes, and the texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        # What stands in a script element is JSON, or the page's own.
        self.text += "" if self.elements and self.elements[-1][0] == "script" else data


def check(html: str, *, scripts: bool = False) -> Page:
    page = Page(html)
    for tag, attrs in page.elements:
        assert tag not in ("img", "iframe", "object", "embed", "base", "video", "audio", "style" if not scripts else "")
        assert not [name for name in attrs if name.startswith("on") or name == "style" or name == "srcdoc"], (
            tag,
            attrs,
        )
        for name in ("href", "src", "action", "hx-get"):
            assert not (attrs.get(name) or "").lower().strip().startswith(("javascript:", "data:", "http")), (
                tag,
                attrs,
            )
        if tag == "script" and not scripts:
            assert attrs.get("src") in OWN_SCRIPTS
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]", page.text)
    if not scripts:
        assert "\x1b" not in html and "\x00" not in html and "\u202e" not in html
    return page


def hostile_record(at: int, text: str, score: float) -> SampleRecord:
    return make_record(
        model=text, dataset=text, subset=text, sample_id=text, target={text: [text]},
        response=f"{text}\n{text}",
        input=[{"role": text, "content": text}, {"role": "user", "content": [{"type": "text", "text": text}]}],
        extracted=text, error=None, finish_reason=text, metadata={text: text},
        scores={"accuracy": score, text: 1.0},
        prompt_sha256=f"{at:064}",
    )  # fmt: skip


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Two runs with hostile text in every field that takes text."""
    root = tmp_path / "runs"
    for which, name in enumerate(("a", "b")):
        records = [hostile_record(at, text, float(at % (2 + which) == 0)) for at, text in enumerate(HOSTILE)]
        failed = records[0].model_copy(
            update={"sample_id": "failed", "response": None, "scores": {}, "error": EVERYTHING}
        )
        samples = root / name / "samples" / "x.jsonl"
        samples.parent.mkdir(parents=True)
        samples.write_bytes(b"".join(map(sample_line, [*records, failed])))
        fields = {"model": EVERYTHING, "backend": EVERYTHING, "dataset": EVERYTHING, "backend_version": EVERYTHING}
        row = make_row(**fields, samples="samples/x.jsonl", reason=EVERYTHING, settings={EVERYTHING: EVERYTHING, "limit": EVERYTHING}, source=EVERYTHING, n=14, n_errors=1, split=EVERYTHING)  # fmt: skip  # noqa: E501
        part = make_row(**fields, primary=False, subset=EVERYTHING, category=EVERYTHING)
        error = ReportError(
            kind=ErrorKind.WARNING, message=EVERYTHING, hint=EVERYTHING, model=EVERYTHING, backend=EVERYTHING
        )
        run = make_run(id=EVERYTHING, name=EVERYTHING, started_at=f"2026-01-0{which + 1} {EVERYTHING}", argv=(EVERYTHING,), host={EVERYTHING: EVERYTHING}, bridge_version=EVERYTHING)  # fmt: skip  # noqa: E501
        models = (
            make_model(
                name=EVERYTHING, source=EVERYTHING, engine=EVERYTHING, revision=EVERYTHING, adapters=(EVERYTHING,)
            ),
        )
        write(root / name, make_report(run=run, models=models, results=(row, part), errors=(error,)))
        (root / name / "spec.yaml").write_text(EVERYTHING + name, encoding="utf-8")
        log = root / name / "jobs" / "x" / "log.txt"
        log.parent.mkdir(parents=True)
        log.write_text(EVERYTHING * 3, encoding="utf-8")
    return root


def dataset_of(home: Page) -> str:
    links = (attrs.get("href") or "" for _, attrs in home.elements)
    [dataset] = {link for link in links if link.startswith("/runs/a/datasets/")}
    return dataset


async def test_every_page(visit, hostile: Path) -> None:
    site = await visit(hostile)
    home = check(await site.get("/"))
    assert "<script>window.hacked = 1</script>" in home.text and r"\u202e" in home.text and r"\x1b[31m" in home.text
    [dataset] = {
        attrs["href"] for _, attrs in home.elements if (attrs.get("href") or "").startswith("/runs/a/datasets/")
    }
    check(await site.get("/runs/a"))
    check(await site.get(dataset))
    samples = check(await site.get(f"{dataset}/samples"))
    assert samples.text.count("<img src=") >= 1
    for number in range(1, len(HOSTILE) + 2):
        check(await site.get(f"{dataset}/samples/{number}"))
    compared = check(await site.get("/compare?side=a&side=b"))
    assert "</script><script>window.hacked = 2</script>" in compared.text
    check(await site.get("/flips?side=a&side=b&against=0&dataset=0&kind=lost"))


async def test_hostile_addresses(visit, hostile: Path) -> None:
    site = await visit(hostile)
    home = Page(await site.get("/"))
    [dataset] = {
        attrs["href"] for _, attrs in home.elements if (attrs.get("href") or "").startswith("/runs/a/datasets/")
    }
    for text in HOSTILE:
        found = check(await site.get(f"{dataset}/samples?q={quote(text)}"))
        assert "No such sample." not in found.text, text
        own = check(await site.get(f"{dataset}/samples?subset={quote(visible(text))}"))
        assert "1 of 15 samples" in own.text or text == HOSTILE[0]
        check(await site.get(f"/?q={quote(text)}"))
        async with site.client.get(f"/runs/{quote(text, safe='')}") as answer:
            assert answer.status in (400, 404) and answer.content_type == "text/plain"
    compared = check(await site.get(f"/compare?side=a:{quote(EVERYTHING)}&side=b:{quote(EVERYTHING)}"))
    assert "What differs in the settings" in compared.text


def test_every_file(hostile: Path, tmp_path: Path) -> None:
    for path in write_site([hostile], tmp_path / "site"):
        check(path.read_text(encoding="utf-8"), scripts=True)


async def test_a_huge_cell_is_shortened(visit, tmp_path: Path) -> None:
    """100 MB in one answer, and answers around the limits."""
    sizes = {"tiny": 10, "long": MAX_TEXT + 1_000, "longer": MAX_LINE - 5_000, "huge": 100 * 2**20}
    samples = tmp_path / "r" / "samples" / "x.jsonl"
    samples.parent.mkdir(parents=True)
    with samples.open("wb") as file:
        for name, size in sizes.items():
            record = {
                "model": "m",
                "dataset": "d",
                "sample_id": name,
                "input": "q",
                "response": "",
                "scores": {"accuracy": 1},
            }
            head, tail = json.dumps(record).split('"response": ""')
            file.write(f'{head}"response": "<b>{"x" * size}END"{tail}\n'.encode())
    write(tmp_path / "r", make_report(results=(make_row(model="m", dataset="d", samples="samples/x.jsonl", n=4),)))
    site = await visit(tmp_path / "r")
    listed = await site.get("/runs/r/datasets/d.native.m/samples")
    assert "too long for this list: 104,857," in listed and len(listed) < 50_000
    for number, (name, size) in enumerate(sizes.items(), 1):
        page = await site.get(f"/runs/r/datasets/d.native.m/samples/{number}")
        assert len(page) < 2 * MAX_TEXT + 10_000, name
        assert ("left out …]" in page) == (size > MAX_TEXT) and "&lt;b&gt;x" in page and "END" in page
    assert "This record is too long to be shown" in page
    found = await site.get("/runs/r/datasets/d.native.m/samples?q=%3Cb%3Ex&state=right")
    assert found.count('<tr class="sample ') >= 1
