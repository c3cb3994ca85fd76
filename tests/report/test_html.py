"""The page as text: self-contained, whole, and nothing in it but its own markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fakes import HOSTILE, make_model, make_record, make_report, make_row, make_run, write_samples

from bridge.report.html import dataset_sections, render_html, script_json
from bridge.report.plot import axis_for, bar
from bridge.report.schema import ErrorKind, LatencyQuantiles, Report, ReportError, Status, Usage

SAMPLES = "samples/native/gsm8k.jsonl"
LOADING = {"src", "srcset", "data", "action", "formaction", "poster", "background", "ping", "xlink:href"}


class Page(HTMLParser):
    """The elements, the text that is shown, and the contents of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in self.raw:
            self.raw[tag].append("")
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.raw[self._inside][-1] += data
        else:
            self.text += data

    @property
    def data(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.raw["script"][0])
        return loaded


def rich_report(root: Path) -> Report:
    """Two models, two backends, a rating, categories, subsets, an error, a warning, a dataset that failed."""
    write_samples(root, {SAMPLES: [make_record(subset="algebra", sample_id=str(at)) for at in range(3)]})
    second = {"backend": "opencompass", "backend_version": "0.5.4", "env_lock_sha256": "ab" * 32}
    rows = (
        make_row(samples=SAMPLES, settings={"limit": 3, "generation": {"temperature": 0.0}}),
        make_row(metric="accuracy_macro", primary=False),
        make_row(category="science", primary=False),
        make_row(subset="algebra", category="science", primary=False, value=0.7),
        make_row(**second, value=0.58, n=98, n_errors=2, status="partial", reason="2 lost", settings={"limit": 4}),
        make_row(**second, subset="algebra", primary=False, value=0.71),
        make_row(model="other", value=None, ci95=None, n=0, n_errors=9, status="failed", reason="no answer came"),
        make_row(
            dataset="mt", metric="rating", unit="rating", min_value=1.0, max_value=10.0, value=7.5, ci95=(7.1, 7.9)
        ),
    )
    errors = (
        ReportError(
            kind=ErrorKind.UNANSWERED, message="HTTP 500 upstream", hint="run it again", count=1_234, model="qwen"
        ),
        ReportError(kind=ErrorKind.WARNING, message="judged by itself"),
    )
    usage = Usage(requests=5, latency_s=LatencyQuantiles(p50=0.5, p95=1.25, p99=2.0))
    models = (make_model(adapters=("lora-a",), revision="abc"), make_model(name="other"))
    return make_report(status=Status.PARTIAL, results=rows, errors=errors, usage=usage, models=models)


def test_what_a_reader_must_see(tmp_path: Path) -> None:
    text = Page(render_html(rich_report(tmp_path), tmp_path)).text
    for expected in (
        "partial",
        "2 of 4 results not complete; 11 of 309 samples without an answer or a score, and in no value.",
        "60.00 %",
        "[50.20, 69.06]",
        "7.50",
        "no answer came",
        "HTTP 500 upstream",
        "× 1,234",
        "run it again",
        "judged by itself",
        "accuracy_macro",
        "science",
        "algebra",
        "lora-a",
        "p95 1.25 s",
        "2 differ",
        "abababababab",
        "bridge run spec.yaml",
    ):
        assert expected in text, expected


@pytest.mark.parametrize("status", list(Status))
def test_the_status_is_unmistakable(tmp_path: Path, status: Status) -> None:
    html = render_html(make_report(status=status), tmp_path)
    assert f'<header id="top" class="status-{status}">' in html
    assert f'<span class="badge {status}">{status}</span></h1>' in html
    assert f"– {status}</title>" in html


def test_empty_reports_render(tmp_path: Path) -> None:
    text = Page(render_html(make_report(status=Status.FAILED, results=(), models=()), tmp_path)).text
    assert "No dataset has a result." in text and "There are no per-sample records." in text


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    for tag, attributes in Page(render_html(rich_report(tmp_path), tmp_path)).elements:
        assert not LOADING & attributes.keys(), (tag, attributes)
        assert tag not in {"link", "iframe", "object", "embed", "img", "base"}
        assert attributes.get("href", "#").startswith("#")  # type: ignore[union-attr]
        assert "style" not in attributes and not any(name.startswith("on") for name in attributes)


def test_the_policy_names_exactly_the_style_and_the_script(tmp_path: Path) -> None:
    page = Page(render_html(rich_report(tmp_path), tmp_path))
    (policy,) = [a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None and policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    for directive, source in (("script-src", page.raw["script"][1]), ("style-src", page.raw["style"][0])):
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy


def test_assets_load_nothing() -> None:
    folder = Path(__file__).parents[2] / "bridge/report/templates"
    for name in ("style.css", "report.js"):
        text = (folder / name).read_text(encoding="utf-8")
        assert not re.search(
            r"https?://|url\(|@import|@font-face|fetch\(|XMLHttpRequest|innerHTML|outerHTML|eval\(", text
        )
        assert "insertAdjacentHTML" not in text and "document.write" not in text and "</" not in text


def test_samples_are_in_the_page(tmp_path: Path) -> None:
    data = Page(render_html(rich_report(tmp_path), tmp_path)).data
    assert [sample["id"] for sample in data["samples"]] == ["0", "1", "2"]
    assert data["columns"][0] == {
        "model": "qwen",
        "backend": "native",
        "dataset": "gsm8k",
        "metric": "accuracy",
        "percent": True,
    }
    assert data["manyModels"] is True


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_everywhere(tmp_path: Path, text: str) -> None:
    clean, hostile = tmp_path / "clean", tmp_path / "hostile"
    pages = [Page(render_html(filled(root, word), root)) for root, word in ((clean, "word"), (hostile, text))]
    assert [tag for tag, _ in pages[1].elements] == [tag for tag, _ in pages[0].elements]
    assert [sorted(a) for _, a in pages[1].elements] == [sorted(a) for _, a in pages[0].elements]
    assert all(char.isprintable() or char == "\n" for char in pages[1].text)
    if text.isprintable():
        assert pages[1].text.count(text) >= 20
    sample, *_ = pages[1].data["samples"]
    assert sample["r"] == sample["id"] == sample["x"]["deep"] == text and sample["in"][0]["content"] == text


def filled(root: Path, text: str) -> Report:
    """The text in every field that comes from outside."""
    record = make_record(
        subset=text,
        sample_id=text,
        input=[{"role": text, "content": text}],
        target=text,
        response=text,
        extracted={"deep": text},
        error=text,
        finish_reason=text,
        metadata={text: text},
    )
    write_samples(root, {SAMPLES: [record]})
    row = make_row(dataset=text, model=text, backend=text, metric=text, backend_version=text, settings={text: [text]})
    row = row.model_copy(update={"samples": SAMPLES, "source": text, "split": text, "reason": text})
    failed = row.model_copy(update={"backend": "b", "value": None, "ci95": None, "status": Status.FAILED})
    part = row.model_copy(update={"subset": text, "category": text, "primary": False})
    errors = tuple(
        ReportError(kind=kind, message=text, hint=text, model=text, backend=text, dataset=text)
        for kind in (ErrorKind.BACKEND, ErrorKind.WARNING)
    )
    return make_report(
        run=make_run(name=text, id=text, argv=(text,), host={text: text}, bridge_version=text, started_at=text),
        models=(make_model(name=text, source=text, engine=text, adapters=(text,), revision=text),),
        results=(row, failed, part, part.model_copy(update={"subset": None})),
        errors=errors,
    )


def test_json_in_a_script_element_means_the_same_and_cannot_leave_it() -> None:
    value = {"a": "</script><!--\u2028\u2029&amp;", "b": [1.5, None, "日本"]}
    text = script_json(value)
    assert json.loads(text) == value and not re.search("[<>&\u2028\u2029]", text)


def test_subsets_of_two_backends_stand_side_by_side(tmp_path: Path) -> None:
    (gsm8k, _) = dataset_sections(rich_report(tmp_path), tmp_path)
    assert [(row.subset, row.backend) for row in gsm8k.parts] == [
        (None, "native"),
        ("algebra", "native"),
        ("algebra", "opencompass"),
    ]
    differing = {setting.name: setting.values for setting in gsm8k.settings if setting.differs}
    assert differing == {"limit": ("3", "4", "–"), "generation": ('{"temperature":0.0}', "–", "–")}


def test_bars_are_where_the_values_are() -> None:
    axis = axis_for([make_row()])
    assert (axis.x(0.0), axis.x(0.5), axis.x(1.0)) == (10.0, 140.0, 270.0)
    assert [label for _, label in axis.ticks] == ["0 %", "25 %", "50 %", "75 %", "100 %"]
    drawn = bar(make_row(value=0.5, ci95=(0.25, 1.2)), axis)
    assert drawn is not None and (drawn.start, drawn.end, drawn.low, drawn.high) == (10.0, 140.0, 75.0, 270.0)
    assert bar(make_row(value=None), axis) is None


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [([31.0, 47.5], 0.0, 50.0), ([-3.2, 4.0], -4.0, 4.0), ([0.0], 0.0, 1.0), ([None], 0.0, 1.0)],
)
def test_an_axis_without_bounds_is_round(values: list[float | None], low: float, high: float) -> None:
    rows = [make_row(value=v, ci95=None, unit="points", min_value=None, max_value=None) for v in values]
    axis = axis_for(rows)
    assert (axis.low, axis.high) == (low, high)
    assert all(bar(row, axis) is not None for row in rows if row.value is not None)
