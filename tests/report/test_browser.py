"""The page in a real Chromium, from disk and offline. Needs playwright's Python package and Debian's chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import HOSTILE, make_record, make_report, make_row, write_samples

from bridge.report.html import render_html
from bridge.report.schema import SampleRecord

pytestmark = pytest.mark.env
QUIET = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no chromium on the PATH")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        browser.close()


class Visit:
    """An open page, and all that it asked for or complained about."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.failures: list[str] = []
        self.page = browser.new_page(**options)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self.failures.append(request.failure))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.page.goto(url)

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).inner_text())

    def count(self, selector: str) -> int:
        return int(self.page.locator(selector).count())

    def until(self, condition: str) -> None:
        """Waits until the JavaScript expression is true; playwright's own wait needs eval, which the policy forbids."""
        for _ in range(100):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"never true: {condition}")

    def until_shown(self, beginning: str) -> None:
        self.until(f"document.getElementById('count').textContent.startsWith('{beginning}')")

    def shown(self) -> str:
        """``12 of 40``: how many samples the filters leave."""
        return self.text("#count").split(" samples")[0]


def written(root: Path, records: dict[str, list[SampleRecord]]) -> str:
    """A report on gsm8k through these backends; its address."""
    paths = {backend: f"samples/{backend}/gsm8k.jsonl" for backend in records}
    write_samples(root, {paths[backend]: lines for backend, lines in records.items()})
    report = make_report(results=tuple(make_row(backend=name, samples=path) for name, path in paths.items()))
    page = root / "report.html"
    page.write_text(render_html(report, root), encoding="utf-8")
    return page.as_uri()


def ten(right: set[int], subsets: tuple[str, ...] = ("algebra", "logic")) -> list[SampleRecord]:
    return [
        make_record(
            sample_id=str(at),
            subset=subsets[at % 2],
            input=[{"role": "user", "content": f"Question number {at}?"}],
            response=f"It is {at}.",
            scores={"accuracy": float(at in right)},
            finish_reason="length" if at == 7 else "stop",
            extracted=None if at == 8 else str(at),
        )
        for at in range(10)
    ] + [
        make_record(sample_id="10", subset="logic", response=None, extracted=None, scores={}, error="HTTP 500 upstream")
    ]


def test_hostile_text_stays_text_and_nothing_leaves(tmp_path: Path, chromium: Any) -> None:
    records = [
        make_record(
            sample_id=f"{at} {text}",
            subset=text,
            input=[{"role": text, "content": text}],
            target=text,
            response=text,
            extracted=[text],
            metadata={text: text},
            finish_reason=text,
        )
        for at, text in enumerate(HOSTILE)
    ]
    url = written(tmp_path, {"native": records})
    visit = Visit(chromium, url)
    elements = visit.count("*:not(span.code):not(option)")
    for text in HOSTILE:
        answer = visit.page.locator("#detail > div:has(h4:text-is('Answer')) pre").first
        raw = answer.evaluate("e => [...e.childNodes].map(n => n.className === 'code' ? ' ' : n.textContent).join('')")
        assert len(raw) == len(text)
        assert all(a == b or a == " " for a, b in zip(raw, text, strict=True))
        visit.page.keyboard.press("j")
    assert visit.page.evaluate("window.hacked") is None
    assert visit.count("script") == 2 and visit.count("img, iframe, object") == 0
    assert abs(visit.count("*:not(span.code):not(option)") - elements) < 20
    assert visit.requests == [url] and visit.complaints == []


def test_the_policy_blocks_what_escaping_would_miss(tmp_path: Path, chromium: Any) -> None:
    visit = Visit(chromium, written(tmp_path, {"native": ten({1})}))
    visit.page.evaluate(
        """() => {
            const script = Object.assign(document.createElement("script"), { text: "window.hacked = 1" });
            document.body.append(script);
            const image = '<img src="http://127.0.0.1:9/x" onerror="window.hacked = 1">';
            document.body.insertAdjacentHTML("beforeend", image);
        }"""
    )
    visit.page.wait_for_timeout(200)
    assert visit.page.evaluate("window.hacked") is None and len(visit.complaints) >= 2
    assert visit.failures == ["csp"]


def test_filters_and_search(tmp_path: Path, chromium: Any) -> None:
    visit = Visit(chromium, written(tmp_path, {"native": ten({0, 1, 2})}))
    page = visit.page
    assert visit.shown() == "11 of 11"
    page.click("[data-state=right]")
    assert visit.shown() == "3 of 11"
    page.click("[data-state=wrong]")
    assert visit.shown() == "7 of 11"
    page.select_option("#subset", "logic")
    assert visit.shown() == "4 of 11"
    page.click("[data-state=error]")
    assert visit.shown() == "1 of 11" and "HTTP 500 up" in visit.text("#detail")
    page.click("[data-state=all]")
    page.select_option("#subset", "")
    page.fill("#q", "NUMBER 4?")
    visit.until_shown("1 of 11")
    assert "searched in id, prompt, answer" in visit.text("#count") and visit.text("#detail mark") == "number 4?"
    page.fill("#q", "no such text")
    visit.until_shown("0 of 11")
    assert visit.text("#rows") == "No sample matches." and visit.text("#detail") == ""
    page.fill("#q", "")
    visit.until_shown("11 of 11")
    page.select_option("#flag", "cut")
    assert visit.shown() == "1 of 11" and "finish reason: length" in visit.text("#detail")
    page.select_option("#flag", "unread")
    assert visit.shown() == "1 of 11" and "8" in visit.text("#detail .title")
    assert visit.complaints == []


def test_keys_and_the_address(tmp_path: Path, chromium: Any) -> None:
    url = written(tmp_path, {"native": ten({0, 1, 2})})
    visit = Visit(chromium, url)
    visit.page.click("[data-state=wrong]")
    for key in "jjjk":
        visit.page.keyboard.press(key)
    title = visit.text("#detail .title")
    assert title.startswith("wrong") and title.endswith("logic / 5")
    visit.page.keyboard.press("/")
    visit.page.keyboard.type("question")
    visit.until("location.hash.includes('q=question')")
    visit.page.keyboard.press("Escape")
    visit.page.keyboard.press("j")
    again = Visit(chromium, visit.page.url)
    assert again.shown() == "7 of 11" and again.page.input_value("#q") == "question"
    assert again.text("#detail .title") == visit.text("#detail .title") and "logic / 5" not in visit.text(
        "#detail .title"
    )
    assert "state=wrong" in again.page.url and visit.requests == [url]


def test_an_address_with_nonsense_shows_everything(tmp_path: Path, chromium: Any) -> None:
    url = written(tmp_path, {"native": ten({0})})
    visit = Visit(chromium, f"{url}#state=constructor&column=99&flag=__proto__&sample=-1")
    assert visit.shown() == "11 of 11" and visit.complaints == []


def test_the_same_sample_through_another_backend(tmp_path: Path, chromium: Any) -> None:
    visit = Visit(chromium, written(tmp_path, {"native": ten({0, 1, 2}), "opencompass": ten({0, 1, 3})}))
    assert visit.shown() == "22 of 22"
    visit.page.select_option("#flag", "differ")
    assert visit.shown() == "4 of 22"
    assert visit.text("#detail .title").startswith("right") and "native" in visit.text("#detail .title")
    visit.page.click(".elsewhere button")
    assert visit.text("#detail .title").startswith("wrong") and "opencompass" in visit.text("#detail .title")
    assert visit.complaints == []


def test_many_samples_are_a_few_rows_at_a_time(tmp_path: Path, chromium: Any) -> None:
    records = [make_record(sample_id=str(at), response=f"answer {at} " + "x" * 300) for at in range(20_500)]
    visit = Visit(chromium, written(tmp_path, {"native": records}))
    assert visit.shown() == "20,000 of 20,000" and visit.count("#rows .row") < 60
    assert "20,000 of 20,500 samples are here" in visit.text(".left-out")
    visit.page.evaluate("document.getElementById('list').scrollTop = 1e9")
    visit.until("document.querySelector('#rows').textContent.includes('20499')")
    assert visit.count("#rows .row") < 60
    visit.page.fill("#q", "answer 17000 ")
    visit.until_shown("1 of")
    assert visit.complaints == []


def test_long_answers_are_folded(tmp_path: Path, chromium: Any) -> None:
    visit = Visit(chromium, written(tmp_path, {"native": [make_record(response="begin " + "x" * 5_000 + " end")]}))
    answer = visit.page.locator("#detail > div:has(h4:has-text('Answer'))")
    assert len(answer.locator("pre").inner_text()) < 2_000
    answer.locator("button").click()
    assert answer.locator("pre").inner_text().endswith(" end")
    assert answer.locator("button").inner_text() == "show less"


def test_tables_stand_without_scripts(tmp_path: Path, chromium: Any) -> None:
    visit = Visit(chromium, written(tmp_path, {"native": ten({0})}), java_script_enabled=False)
    assert "60.00 %" in visit.text("#scores") and "needs JavaScript" in visit.text("#samples")
    assert not visit.page.locator("#browser").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(tmp_path: Path, chromium: Any, scheme: str) -> None:
    visit = Visit(chromium, written(tmp_path, {"native": ten({0})}), color_scheme=scheme)
    background = "getComputedStyle(document.body).backgroundColor"
    before = visit.page.evaluate(background)
    assert before == {"light": "rgb(251, 251, 250)", "dark": "rgb(22, 23, 26)"}[scheme]
    for _ in range(1 if scheme == "dark" else 2):
        visit.page.click("#theme")
    assert visit.page.evaluate(background) != before
